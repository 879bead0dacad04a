"""Read the completion reports of S3 Batch Operations; see local/completion/."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import local.common.interrupts  # noqa: F401
from local.common.cli import main
from local.completion.command import batch_report

if __name__ == "__main__":
    main(batch_report)
