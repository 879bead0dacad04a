"""The manifests in deploy/, as the platforms read them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jsonpatch
import yaml

from tests.support.paths import ROOT

DEPLOY: Final = ROOT / "deploy"
KUBERNETES: Final = DEPLOY / "kubernetes"
KNATIVE: Final = DEPLOY / "knative"

Manifest = dict[str, Any]

_SUFFIXES: Final = {"": 1, "m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def read(path: Path) -> Any:
    """The one document of a YAML file."""
    return yaml.safe_load(path.read_text("utf-8"))


def quantity(text: str) -> float:
    """A quantity of Kubernetes, such as 500m or 1Gi, as a number."""
    digits = text.rstrip("mKMGi")
    return float(digits) * _SUFFIXES[text[len(digits) :]]


def kubernetes() -> list[Manifest]:
    """What `kubectl apply -k deploy/kubernetes` applies, the image's name apart."""
    return [
        read(KUBERNETES / name) for name in read(KUBERNETES / "kustomization.yaml")["resources"]
    ]


def of_kind(kind: str) -> Manifest:
    """The only manifest of this kind in deploy/kubernetes."""
    (found,) = [manifest for manifest in kubernetes() if manifest["kind"] == kind]
    return found


def knative() -> Manifest:
    """What `kubectl apply -k deploy/knative` applies."""
    service: Manifest = read(KNATIVE / "service.yaml")
    for patch in read(KNATIVE / "kustomization.yaml")["patches"]:
        assert patch["target"] == {"kind": service["kind"], "name": service["metadata"]["name"]}
        service = jsonpatch.apply_patch(service, read(KNATIVE / patch["path"]))
    return service


def container(manifest: Manifest) -> Manifest:
    """The only container of a Deployment or a Knative Service."""
    (found,) = manifest["spec"]["template"]["spec"]["containers"]
    return dict(found)


def probe_paths(manifest: Manifest) -> set[str]:
    """The paths that the probes of the container request."""
    return {value["httpGet"]["path"] for value in probes(manifest).values()}


def probes(manifest: Manifest) -> Mapping[str, Manifest]:
    """The container's probes by name."""
    return {name: value for name, value in container(manifest).items() if name.endswith("Probe")}


def images() -> Iterator[tuple[str, str]]:
    """The name and the tag of every kustomization's image."""
    for folder in (KUBERNETES, KNATIVE):
        for image in read(folder / "kustomization.yaml")["images"]:
            yield image["name"], image["newTag"]
