"""Forecast what AWS Lambda would do; see local/simulation/cli.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local.simulation.cli import main

if __name__ == "__main__":
    main()
