"""An open-loop load generator: waves of parallel requests, measured from when they were due."""
