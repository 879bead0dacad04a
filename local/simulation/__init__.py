"""A simulation of how AWS Lambda scales one function."""
