"""An image classifier over HTTP: untrusted bytes -> pixels -> probabilities."""

__version__ = "1.1.0"
