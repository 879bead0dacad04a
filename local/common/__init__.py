"""Shared by all tools in local/."""
