"""An image classifier over HTTP: untrusted bytes -> pixels -> probabilities."""

import os

__version__ = "1.1.0"

# Set before NumPy is imported: its OpenBLAS would start a thread for each core. These threads spin
# at first, which takes an eighth of the CPU time of a cold start. Nothing here multiplies matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
