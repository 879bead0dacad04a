"""Compare two load tests; see local/loadtest/compare.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import local.common.interrupts  # noqa: F401
from local.common.cli import main
from local.loadtest.compare import compare

if __name__ == "__main__":
    main(compare)
