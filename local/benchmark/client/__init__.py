"""Load on a server under measurement."""
