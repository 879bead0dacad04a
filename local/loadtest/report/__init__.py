"""A run as text, HTML, JSON, CSV and plots."""
