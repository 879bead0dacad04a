"""The tables of the documentation, each made of the code or of measured figures."""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
"""The repository."""

MEASURED: Final = ROOT / "docs" / "measured"
"""What `make measure` has written: benchmark.json and lambda.json."""

# The settings and the model are described where they are used.
sys.path.append(str(ROOT / "function"))
