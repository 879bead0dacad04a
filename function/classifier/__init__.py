"""An image classifier: untrusted bytes -> pixels -> probabilities -> an answer over HTTP."""
