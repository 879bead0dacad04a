"""Events that keep environments warm."""

import time
from typing import Any, Final

_HOLD_SECONDS: Final = 0.05
"""So that several events at once get to as many environments"""

_SOURCES: Final = ("serverless-plugin-warmup", "serverless-plugin-lambda-warmup")


def is_warm_up(event: dict[str, Any]) -> bool:
    """Whether it is a schedule of EventBridge, `{"warmup": true}`, or from a known plug-in:
    serverless-plugin-warmup, lambda-warmer, or the warmer of OpenNext."""
    return (
        event.get("detail-type") == "Scheduled Event"
        or event.get("source") in _SOURCES
        or event.get("type") == "warmer"
        or bool(event.get("warmup") or event.get("warmer"))
    )


def warm_up(model: str) -> dict[str, Any]:
    """The response, which has no reader."""
    time.sleep(_HOLD_SECONDS)
    return {"status": "warm", "model": model}
