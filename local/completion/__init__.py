"""Completion reports of S3 Batch Operations: what became of every photo of a job."""
