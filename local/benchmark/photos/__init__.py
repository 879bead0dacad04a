"""Ordinary photos and scans in all formats and sizes, sent to the service with little memory."""
