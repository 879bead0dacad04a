"""Programs measured beside the service. Each runs in its own process and imports only what it
needs."""
