"""Other model servers, pinned, each in its own environment."""
