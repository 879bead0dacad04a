"""The page at `/`: the form, with results or problems below it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from classifier.classifier import Classification
from classifier.errors import MethodNotAllowed, NotFound, ServiceError
from classifier.model import Prediction

STATIC: Final = Path(__file__).resolve().parent / "static"
_TEMPLATE: Final = STATIC.with_name("templates").joinpath("index.html").read_text("utf-8")

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
)

_LOOK: Final = (
    '<label class="look" hidden><input type="checkbox"> Show where the model looked</label>'
)

Outcome = Classification | ServiceError


def render(
    outcomes: Sequence[Outcome],
    *,
    model: str = "",
    explains: bool = False,
    base_path: str = "",
    address: str = "http://localhost:8000/",
) -> str:
    """The page with `outcomes`, in the order of the images.

    `model` is the name of the model; if it `explains`, each result has a switch for the page's
    script, which shows where the model looked. `base_path` is the start of the page's links,
    without a slash at its end, or empty; `address` is the URL for programs.
    """
    articles = "".join(
        _article(
            outcome,
            f"Photo {number} of {len(outcomes)}" if len(outcomes) > 1 else _heading(outcome),
            model,
            explains=explains,
        )
        for number, outcome in enumerate(outcomes, start=1)
    )
    # The results come last, so that nothing in them is replaced.
    page = _TEMPLATE.replace("<!-- address -->", escape(address))
    if base_path:
        page = page.replace("<head>", f'<head>\n<base href="{escape(base_path)}/">')
    return page.replace("<!-- results -->", articles)


def _heading(outcome: Outcome) -> str:
    if isinstance(outcome, NotFound | MethodNotAllowed):
        return outcome.status.phrase
    return "Your photo"


def _article(outcome: Outcome, heading: str, model: str, *, explains: bool) -> str:
    if isinstance(outcome, ServiceError):
        content = f'<p class="problem">{escape(outcome.message)}</p>'
    else:
        content = _classes(outcome, model)
        if explains and outcome.predictions:
            content += _LOOK
    return f'<article><h2>{heading}</h2><div class="answer">{content}</div></article>'


def _classes(result: Classification, model: str) -> str:
    rows = "".join(map(_row, result.predictions))
    classes = f"<ol>{rows}</ol>" if rows else "<p>No class is as probable as requested.</p>"
    if result.threshold is not None and not result.confident:
        classes += (
            f'<p class="unsure">Not sure: the first class has {_percent(result.top_probability)}, '
            f"less than the model's threshold of {result.threshold:.0%}.</p>"
        )
    decode, infer = result.decode_seconds * 1e3, result.infer_seconds * 1e3
    times = f"Decoded in {decode:.1f}&nbsp;ms, classified in {infer:.1f}&nbsp;ms"
    return f'{classes}<p class="timing">{times} <span>by {escape(model)}</span></p>'


def _row(prediction: Prediction) -> str:
    probability = prediction["probability"]
    return (
        f'<li><span class="label">{escape(prediction["label"])}</span> '
        f'<span class="probability">{_percent(probability)}</span>'
        # The content security policy forbids style attributes, but not SVG's width.
        f'<svg class="bar" aria-hidden="true"><rect width="{probability:.2%}" height="100%"/>'
        "</svg></li>"
    )


def _percent(probability: float) -> str:
    return f"{probability:.1%}" if probability >= 0.0005 else "&lt;0.1%"
