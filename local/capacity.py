"""Find the rate that a running service sustains; see local/loadtest/capacity/."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import local.common.interrupts  # noqa: F401
from local.common.cli import main
from local.loadtest.capacity.command import capacity

if __name__ == "__main__":
    main(capacity)
