"""The requests of docs/bucket.md, with the values of a stack."""

import json
import re
from typing import Any, Final

from tests.support.paths import ROOT

PAGE: Final = ROOT / "docs" / "bucket.md"
STACK_ID: Final = "1b2c3d40-0000-11f0-8de9-0242ac120002"
"""The last part of a stack's ARN, which ends the name of its bucket"""


def documented(name: str) -> dict[str, Any]:
    """The JSON below the comment with this name."""
    page = PAGE.read_text("utf-8")
    found = re.search(rf"<!-- {re.escape(name)} -->\n```json\n(.*?)```", page, re.DOTALL)
    assert found, name
    text = found[1].replace("images-ID", f"images-{STACK_ID}")
    parsed: dict[str, Any] = json.loads(text if text.startswith("{") else f"{{{text}}}")
    return parsed


def rerun() -> dict[str, Any]:
    """The request of the second job."""
    request = documented("job.json") | documented("again.json")
    del request["ManifestGenerator"]
    return request


def with_bucket(request: dict[str, Any], bucket: str) -> dict[str, Any]:
    """The request for a stack whose bucket is named otherwise."""
    text = json.dumps(request).replace(f"images-{STACK_ID}", bucket)
    changed: dict[str, Any] = json.loads(text)
    return changed
