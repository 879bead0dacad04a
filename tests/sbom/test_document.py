"""The software bill of materials: what is added to the list of packages."""

import copy
from typing import Any

import pytest

from local.common.cli import UsageError
from local.sbom.document import complete, to_json
from local.sbom.image import ImageFacts

SHA256 = "ab" * 32
PACKAGES: dict[str, Any] = {
    "metadata": {},
    "components": [
        {"bom-ref": "pi_heif==1", "name": "pi_heif", "version": "1"},
        {"bom-ref": "pillow==2", "name": "pillow", "version": "2", "externalReferences": []},
    ],
    "dependencies": [{"ref": "pi_heif==1", "dependsOn": ["pillow==2"]}, {"ref": "pillow==2"}],
}
PINS: dict[str, Any] = {
    "components": [
        {
            "name": name,
            "version": version,
            "externalReferences": [
                {"type": "distribution", "url": name, "hashes": [name]},
                {"type": "website", "url": "https://example.com"},
            ],
        }
        for name, version in (("pi-heif", "1"), ("Pillow", "2"), ("other", "3"))
    ]
}
CARD = {"name": "network-int8", "sha256": SHA256, "license": "Apache-2.0"}
LABELS = {"base.name": "127.0.0.1:5000/base:3.13", "version": "1.2.3", "title": "Title"}


def completed(labels: dict[str, str], pins: dict[str, Any] = PINS) -> dict[str, Any]:
    document = copy.deepcopy(PACKAGES)
    complete(document, ImageFacts("image-name", labels, CARD), copy.deepcopy(pins))
    return document


def test_packages_get_the_hashes_of_their_pins() -> None:
    *_, heif, pillow = completed(LABELS)["components"]
    for package, pin in ((heif, "pi-heif"), (pillow, "Pillow")):
        (reference,) = package["externalReferences"]
        assert (reference["type"], reference["hashes"]) == ("distribution", [pin])


def test_package_in_another_version_than_the_pinned_one_is_refused() -> None:
    pins = copy.deepcopy(PINS)
    pins["components"][1]["version"] = "2.1"
    with pytest.raises(UsageError, match=r"^pillow 2 in image-name is not what function/ pins"):
        completed(LABELS, pins)


def test_model_and_base_image_are_components() -> None:
    model, base, *packages = completed(LABELS)["components"]
    assert len(packages) == 2
    assert (model["type"], model["name"]) == ("machine-learning-model", "network-int8")
    assert model["hashes"] == [{"alg": "SHA-256", "content": SHA256}]
    assert (base["name"], base["version"]) == ("127.0.0.1:5000/base", "3.13")
    assert "hashes" not in base


def test_pinned_base_image_has_its_digest() -> None:
    _, base, *_ = completed({**LABELS, "base.digest": f"sha256:{SHA256}"})["components"]
    assert base["hashes"] == [{"alg": "SHA-256", "content": SHA256}]


def test_image_depends_on_what_nothing_else_needs() -> None:
    document = completed({**LABELS, "revision": "abc"})
    image = document["metadata"]["component"]
    assert (image["name"], image["version"]) == ("image-name", "1.2.3")
    assert image["properties"] == [{"name": "revision", "value": "abc"}]
    first, *others = document["dependencies"]
    assert first == {"ref": "image", "dependsOn": ["model", "base-image", "pi_heif==1"]}
    listed = {each["ref"] for each in others}
    assert listed == {each["bom-ref"] for each in document["components"]}


def test_image_without_labels_is_described() -> None:
    document = completed({})
    assert "version" not in document["metadata"]["component"]
    assert len(document["components"]) == 3
    assert to_json(document).startswith('{\n  "metadata"')
