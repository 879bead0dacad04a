"""JUnit XML, which Jenkins, GitLab and the test reporters of GitHub Actions read.

There is no official schema. The elements and attributes are those that the schema of Jenkins' xUnit
plugin (junit-10.xsd) allows and GitLab's documentation of unit test reports names: `testsuites`,
`testsuite` with `properties`, and `testcase` with `failure` or `skipped`. junitparser and junit-xml
would be dependencies for these few lines.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot contain (section 2.2)."""


@dataclass(frozen=True)
class Case:
    """A test case. It passed unless it has a message."""

    name: str
    failed: str | None = None
    """Why."""
    skipped: str | None = None
    """Why."""


def write_junit(  # noqa: PLR0913
    path: Path,
    suite: str,
    cases: Sequence[Case],
    *,
    properties: Mapping[str, str],
    seconds: float,
    start: str,
) -> None:
    """Write a suite. seconds: its duration; start: in ISO 8601, without zone. Raises `OSError`."""
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.failed is not None for case in cases)),
        "errors": "0",
    }
    time = f"{seconds:.3f}"
    root = ET.Element("testsuites", {"name": "load test", **counts, "time": time})
    skipped = str(sum(case.skipped is not None for case in cases))
    attributes = {"skipped": skipped, "time": time, "timestamp": start}
    made = ET.SubElement(root, "testsuite", {"name": _clean(suite), **counts, **attributes})
    listed = ET.SubElement(made, "properties")
    for name, value in properties.items():
        ET.SubElement(listed, "property", {"name": _clean(name), "value": _clean(value)})
    for case in cases:
        # GitLab shows the class name as the suite; Jenkins takes what is before the dot as package.
        named = {"classname": "loadtest.verdict", "name": _clean(case.name), "time": "0.000"}
        element = ET.SubElement(made, "testcase", named)
        if case.failed is not None:
            message = {"message": _clean(case.failed), "type": "requirement"}
            ET.SubElement(element, "failure", message).text = _clean(case.failed)
        elif case.skipped is not None:
            ET.SubElement(element, "skipped", {"message": _clean(case.skipped)})
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
