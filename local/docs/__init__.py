"""Generates the tables of the documentation from the code and from measurements."""

import sys

from local.common.paths import FUNCTION

# The settings and the model are described where they are used.
sys.path.append(str(FUNCTION))
