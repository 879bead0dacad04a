"""The tables of the documentation, each made of the code or of measured figures."""

import sys

from local.common.paths import FUNCTION

# The settings and the model are described where they are used.
sys.path.append(str(FUNCTION))
