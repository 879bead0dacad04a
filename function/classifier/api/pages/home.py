"""The page at `/` as HTML: the form alone, or with results or problems below it."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

_DIRECTORY: Final = Path(__file__).resolve().parent
_TEMPLATE: Final = (_DIRECTORY / "templates" / "index.html").read_text("utf-8")
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

ASSETS: Final = {
    path.name: (path.read_bytes(), _TYPES[path.suffix])
    for path in sorted((_DIRECTORY / "static").iterdir())
    if path.suffix in _TYPES
}
"""Name -> content and content type of what the page loads."""

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def render(
    results: Sequence[Mapping[str, Any]],
    *,
    base: str = "",
    address: str = "http://localhost:8000/",
) -> str:
    """The page with `results` in it, in the order of the images.

    Each is a problem (`detail`) or a result: `predictions`, and where they are known `model`,
    `decode_seconds` and `infer_seconds`. `base` is the path that a gateway puts in front of the
    service, without a slash at its end; `address` is where programs reach the service.
    """
    articles = "".join(
        _article(result, f"Photo {number} of {len(results)}" if len(results) > 1 else "Your photo")
        for number, result in enumerate(results, start=1)
    )
    # The results last: nothing that is in them is looked at again.
    page = _TEMPLATE.replace("<!-- address -->", escape(address))
    if base:
        page = page.replace("<head>", f'<head>\n<base href="{escape(base)}/">')
    return page.replace("<!-- results -->", articles)


def _article(result: Mapping[str, Any], heading: str) -> str:
    answer = _problem(result["detail"]) if "detail" in result else _classes(result)
    return f'<article><h2>{heading}</h2><div class="answer">{answer}</div></article>'


def _problem(detail: str) -> str:
    return f'<p class="problem">{escape(detail)}</p>'


def _classes(result: Mapping[str, Any]) -> str:
    rows = "".join(_row(each) for each in result["predictions"])
    return f"<ol>{rows}</ol>{_timing(result)}"


def _row(prediction: Mapping[str, Any]) -> str:
    probability = prediction["probability"]
    return (
        f'<li><span class="label">{escape(prediction["label"])}</span> '
        f'<span class="probability">{_percent(probability)}</span>'
        # The policy forbids style attributes; what SVG has for a width it allows.
        f'<svg class="bar" aria-hidden="true"><rect width="{probability:.2%}" height="100%"/>'
        "</svg></li>"
    )


def _percent(probability: float) -> str:
    return f"{probability:.1%}" if probability >= 0.0005 else "&lt;0.1%"


def _timing(result: Mapping[str, Any]) -> str:
    if "infer_seconds" not in result:
        return ""
    decode, infer = (result[name] * 1e3 for name in ("decode_seconds", "infer_seconds"))
    model = f" <span>by {escape(result['model'])}</span>" if "model" in result else ""
    times = f"Decoded in {decode:.1f}&nbsp;ms, classified in {infer:.1f}&nbsp;ms"
    return f'<p class="timing">{times}{model}</p>'
