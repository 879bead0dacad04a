"""The search for the load that a running service sustains."""
