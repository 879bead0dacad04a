"""An image classifier over HTTP: untrusted bytes -> pixels -> probabilities."""

import os

__version__ = "1.1.0"

# Before NumPy, whose OpenBLAS reads it: it would start a thread for each core, which spins at
# first, for an eighth of the CPU time of a cold start. Nothing here multiplies matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
