"""Shared by the tools of this folder."""
