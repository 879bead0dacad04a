"""Measures the service beside a lower bound and beside alternative servers."""
