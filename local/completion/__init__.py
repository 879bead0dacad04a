"""Completion reports of S3 Batch Operations: the result of every photo of a job."""
