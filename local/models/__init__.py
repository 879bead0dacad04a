"""From trained weights to the INT8 model that the service serves."""

import os
import sys

from local.common.paths import FUNCTION

# The service's own code, which reads the photos.
sys.path.append(str(FUNCTION))

# ONNX Runtime reads this at import; without it, it writes to the home directory.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Read when numpy is imported. Sums over several threads are not reproducible, so neither would the
# model be.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
