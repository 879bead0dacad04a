"""The Lambda handler from the first import to its first response to the event in the file EVENT.

The line that begins with `answered` contains, in seconds of the system's monotonic clock, the start
of the program, the end of importing `main` and the response; and the durations of reading the
artifact, creating the session and its first run.
"""

import time
from typing import Any


def main() -> None:
    clock = [time.monotonic()]
    import json
    import os
    from pathlib import Path

    import classifier.model  # before onnxruntime, whose environment it sets

    import onnxruntime  # isort: skip

    parts: dict[str, float] = {}
    session = onnxruntime.InferenceSession
    _time_first_call(classifier.model, "read_artifact", parts, "read model")
    _time_first_call(session, "__init__", parts, "session")
    _time_first_call(session, "run", parts, "first run")

    from main import handler

    clock.append(time.monotonic())
    response = handler(json.loads(Path(os.environ["EVENT"]).read_text()), None)
    clock.append(time.monotonic())
    if response["statusCode"] != 200:
        raise SystemExit(f"the function answered {str(response)[:200]}")
    print("answered", json.dumps({"clock": clock, "parts": parts}), flush=True)


def _time_first_call(owner: Any, function: str, parts: dict[str, float], part: str) -> None:
    """Record under `part` the duration of the first call of `owner.function`, in seconds."""
    original = getattr(owner, function)

    def timed(*arguments: Any, **options: Any) -> Any:
        start = time.monotonic()
        try:
            return original(*arguments, **options)
        finally:
            parts.setdefault(part, time.monotonic() - start)

    setattr(owner, function, timed)


if __name__ == "__main__":
    main()
