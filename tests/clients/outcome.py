"""What a client printed -> what it learned."""

import json
from dataclasses import dataclass
from typing import Any, Final

BEST_LABEL: Final = "tiger cat"
"""The most probable class of the sample"""

_STATUSES_OF_PROBLEMS: Final = range(400, 600)


@dataclass(frozen=True)
class Outcome:
    """`status` is that of a response in JSON, else None; `label` is the most probable class."""

    status: int | None
    label: str = ""
    detail: str = ""
    type: str = ""

    def word(self, printed: str = "") -> str:
        """For the table: the status, or how the client failed, which it `printed`."""
        if self.status == 200 and self.label != BEST_LABEL:
            return "wrong class"
        if self.status:
            return str(self.status)
        return "HTML" if "<html" in printed.lower() else "no response"


def outcomes(printed: str) -> list[Outcome]:
    """The outcome of each response that is in `printed`, as JSON."""
    found = []
    for line in printed.splitlines():
        try:
            found.append(_outcome(json.loads(line)))
        except ValueError:
            continue
    return found


def _outcome(body: Any) -> Outcome:
    """Raises `ValueError` if `body` is neither predictions, in the shape of the service or of
    Hugging Face, nor a problem."""
    match body:
        case {"predictions": [{"label": str(label)}, *_]}:
            return Outcome(200, label)
        case [{"label": str(label), "score": float()}, *_]:
            return Outcome(200, label)
        case {"status": int(status), "detail": str(detail), "type": str(type_)} if (
            status in _STATUSES_OF_PROBLEMS
        ):
            return Outcome(status, detail=detail, type=type_)
    raise ValueError("no response of the service")
