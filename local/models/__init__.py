"""From trained weights to the INT8 model that the service serves."""

import os
import sys

from local.common.paths import FUNCTION

# Photos are read with the service's own code, which is importable there from its task root.
sys.path.append(str(FUNCTION))

# Before its import: ONNX Runtime reads this once, and would write below the home directory.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Before numpy's: sums that several threads share are not the same twice, nor is the model then.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
