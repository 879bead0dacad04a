"""Measures the service under overload: crowds of clients that retry, and an open loop."""
