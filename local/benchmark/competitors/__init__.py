"""Other model servers, pinned, each in an environment of its own."""
