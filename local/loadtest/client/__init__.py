"""The load client: sends the waves and times each request."""
