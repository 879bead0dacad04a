"""Measures the service beside what it cannot beat and beside what one would use instead."""
