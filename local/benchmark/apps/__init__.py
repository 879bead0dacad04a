"""The programs that are measured beside the service. Each runs in a process of its own, so what
it imports is what it needs."""
