"""The document: that of the packages, completed with hashes, the model and the base image.

Names of members are CycloneDX's (https://cyclonedx.org/docs/1.6/json/).
"""

import json
import re
from typing import Any, Final

from local.common.cli import UsageError
from local.sbom.image import ImageFacts

Component = dict[str, Any]

_IMAGE: Final = "image"
_MODEL: Final = "model"
_BASE: Final = "base-image"
"""References within the document"""


def complete(document: dict[str, Any], image: ImageFacts, pins: dict[str, Any]) -> None:
    """Add to the `document` of the packages what else is in the image, and the hashes of `pins`.
    Raises `UsageError` if a package is not pinned in its version."""
    packages: list[Component] = document["components"]
    _add_hashes(packages, pins["components"], image.name)
    dependencies: list[dict[str, Any]] = document["dependencies"]
    needed = {each for entry in dependencies for each in entry.get("dependsOn", ())}
    roots = [each["bom-ref"] for each in packages if each["bom-ref"] not in needed]
    document["metadata"]["component"] = _image(image)
    others = [_model(image.card)] + ([_base(image.labels)] if "base.name" in image.labels else [])
    document["components"] = [*others, *packages]
    refs = [each["bom-ref"] for each in others]
    dependencies[:0] = [
        {"ref": _IMAGE, "dependsOn": [*refs, *roots]},
        *({"ref": ref} for ref in refs),
    ]


def to_json(document: dict[str, Any]) -> str:
    """The file's content."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _add_hashes(packages: list[Component], pins: list[Component], image: str) -> None:
    found = {(_normalized(pin["name"]), pin["version"]): pin for pin in pins}
    for package in packages:
        pin = found.get((_normalized(package["name"]), package["version"]))
        if pin is None:
            raise UsageError(
                f"{package['name']} {package['version']} in {image} is not what function/ pins. "
                "Build the image again: make image"
            )
        references = package.setdefault("externalReferences", [])
        references += [each for each in pin["externalReferences"] if each["type"] == "distribution"]


def _normalized(name: str) -> str:
    """Python Packaging User Guide, "Names and normalization"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _image(image: ImageFacts) -> Component:
    labels = image.labels
    component: Component = {
        "type": "container",
        "bom-ref": _IMAGE,
        "name": image.name,
        "description": labels.get("title", ""),
        "licenses": [{"license": {"id": "Apache-2.0", "acknowledgement": "declared"}}],
    }
    if "version" in labels:
        component["version"] = labels["version"]
    if "revision" in labels:
        component["properties"] = [{"name": "revision", "value": labels["revision"]}]
    return component


def _model(card: dict[str, Any]) -> Component:
    return {
        "type": "machine-learning-model",
        "bom-ref": _MODEL,
        "name": card["name"],
        "hashes": [{"alg": "SHA-256", "content": card["sha256"]}],
        # A card may have any text.
        "licenses": [{"license": {"name": card["license"], "acknowledgement": "declared"}}],
    }


def _base(labels: dict[str, str]) -> Component:
    """With its digest if the Dockerfile pins it."""
    name, _, tag = labels["base.name"].rpartition(":")
    component: Component = {
        "type": "container",
        "bom-ref": _BASE,
        "name": name,
        "version": tag,
        "description": "The base image. Its own packages are not listed here.",
    }
    if "base.digest" in labels:
        content = labels["base.digest"].removeprefix("sha256:")
        component["hashes"] = [{"alg": "SHA-256", "content": content}]
    return component
