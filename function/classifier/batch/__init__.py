"""Files and folders -> predictions, without a server."""
