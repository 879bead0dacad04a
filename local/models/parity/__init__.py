"""Compares the service's model with the file that it was built from."""
