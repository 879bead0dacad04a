"""The servers under measurement and their processes."""
