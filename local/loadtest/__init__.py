"""An open-loop load generator: waves of parallel requests, timed from when they were due."""
