"""The outcome of one image as JSON: its result, or its problem (RFC 9457)."""

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from classifier.errors import ServiceError

if TYPE_CHECKING:
    from classifier.classifier import Classification

Outcome: TypeAlias = "Classification | ServiceError"

DEFAULT_TOP_K: Final = 5
MAX_TOP_K: Final = 100
"""Predictions for one image"""

to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Every result is encoded by it, so that equal results have equal bytes."""


def result_json(outcome: Outcome, model: str) -> dict[str, Any]:
    """The result of one image: with `confident` if the model card has a threshold, and with its
    explanation if it has one; or its problem."""
    if isinstance(outcome, ServiceError):
        return outcome.problem()
    result: dict[str, Any] = {"predictions": outcome.predictions}
    if outcome.threshold is not None:
        result["confident"] = outcome.confident
    result["model"] = model
    if outcome.explanation:
        result["explanation"] = outcome.explanation
    return result
