"""The page at `/` as HTML: the form alone, or with results or a problem below it."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

_DIRECTORY: Final = Path(__file__).resolve().parent / "page"
_BEFORE, _, _AFTER = (_DIRECTORY / "index.html").read_text("utf-8").partition("<!-- results -->")

ASSETS: Final = {
    "page.css": ((_DIRECTORY / "page.css").read_bytes(), "text/css; charset=utf-8"),
    "page.js": ((_DIRECTORY / "page.js").read_bytes(), "text/javascript; charset=utf-8"),
}
"""Name -> content and content type of what the page loads."""

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; form-action 'self'; base-uri 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def render(results: Sequence[Mapping[str, Any]], *, base: str = "") -> str:
    """The page with `results` in it: each is a result (`predictions`) or a problem (`detail`).

    `base` is the path that a gateway puts in front of the service, without a slash at its end.
    """
    articles = "".join(
        _article(result, f"Image {number} of {len(results)}" if len(results) > 1 else "")
        for number, result in enumerate(results, start=1)
    )
    before = (
        _BEFORE.replace("<head>", f'<head>\n<base href="{escape(base)}/">') if base else _BEFORE
    )
    return f"{before}{articles}{_AFTER}"


def _article(result: Mapping[str, Any], heading: str) -> str:
    title = f"<h2>{heading}</h2>" if heading else ""
    if "detail" in result:
        text = f"<p>{escape(result['detail'])}</p>"
        return f'<article class="problem" role="alert">{title}{text}</article>'
    rows = "".join(_row(each) for each in result["predictions"])
    return f"<article>{title}<ol>{rows}</ol></article>"


def _row(prediction: Mapping[str, Any]) -> str:
    label, probability = escape(prediction["label"]), prediction["probability"]
    return (
        f'<li><span class="label">{label}</span> '
        f'<meter value="{probability:.4f}" aria-label="probability of {label}"></meter> '
        f'<span class="probability">{probability:.1%}</span></li>'
    )
