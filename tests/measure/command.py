"""Parts that the measurement commands share."""

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn


def stop(number: int, _: object = None) -> NoReturn:
    """Exit because of the signal `number`. Later signals are ignored while servers shut down."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("stopped", file=sys.stderr)
    raise SystemExit(128 + number)


def run_command(main: Callable[[], int]) -> int:
    """The exit status of `main`: 2, with its output, if a command that it ran has failed. SIGINT
    and SIGTERM stop it with status 130 or 143 and one line instead of a traceback."""
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        return main()
    except subprocess.CalledProcessError as failed:
        print(f"error: {failed}\n{failed.stdout}{failed.stderr}", file=sys.stderr)
        return 2
