"""The Service for Knative and Cloud Run, in the schemas of both."""

import json
import math
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import jsonschema
import pytest

from classifier.server.admission import SHORT_QUEUE
from local.common.paths import ROOT
from tests.deploy.manifests import KNATIVE, Manifest, container, knative, of_kind, quantity, read

SERVICE = read(KNATIVE / "service.yaml")


def errors(platform: str, manifest: Manifest) -> list[str]:
    """What the platform's schema finds wrong. The schemas lack Knative's rules between fields."""
    path = Path(__file__).parent / "schemas" / f"{platform}.json"
    validator = jsonschema.Draft202012Validator(json.loads(path.read_text("utf-8")))

    def lines() -> Iterator[str]:
        for error in validator.iter_errors(manifest):
            yield f"{error.json_path}: {error.message}"

    return sorted(lines())


@pytest.mark.parametrize("manifest", [SERVICE, knative()], ids=["as it is", "with its patch"])
def test_knative_knows_every_field(manifest: Manifest) -> None:
    assert errors("knative", manifest) == []


def test_cloud_run_knows_every_field_and_annotation() -> None:
    assert errors("cloud-run", SERVICE) == []


@pytest.mark.parametrize("platform", ["knative", "cloud-run"])
def test_misspelt_fields_and_values_of_another_type_are_found(platform: str) -> None:
    wrong = deepcopy(SERVICE)
    wrong["spec"]["template"]["spec"]["containerConcurency"] = 4
    wrong["spec"]["template"]["spec"]["timeoutSeconds"] = "60"
    found = errors(platform, wrong)
    assert len(found) == 2
    assert "containerConcurency" in found[1]
    assert "'60' is not of type 'integer'" in found[0]


def test_the_patch_has_what_cloud_run_refuses() -> None:
    found = "\n".join(errors("cloud-run", knative()))
    assert "autoscaling.knative.dev/metric" in found
    assert "securityContext" in found


def test_probes_of_cloud_run_end_before_the_next() -> None:
    for name, probe in container(SERVICE).items():
        if name.endswith("Probe"):
            assert probe["timeoutSeconds"] < probe["periodSeconds"], name


def test_kubernetes_and_knative_run_the_same_container() -> None:
    deployment, service = container(of_kind("Deployment")), container(knative())
    assert service["resources"] == deployment["resources"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert service[probe]["httpGet"]["path"] == deployment[probe]["httpGet"]["path"]


def test_the_platform_sends_enough_requests_to_keep_the_cores_busy() -> None:
    spec = SERVICE["spec"]["template"]["spec"]
    threads = math.ceil(quantity(container(SERVICE)["resources"]["limits"]["cpu"]))
    assert spec["containerConcurrency"] > threads * SHORT_QUEUE


def test_pods_are_added_before_they_reach_the_measured_rate() -> None:
    annotations = knative()["spec"]["template"]["metadata"]["annotations"]
    measured = json.loads((ROOT / "docs/measured/benchmark.json").read_text())
    cores = quantity(container(knative())["resources"]["limits"]["cpu"])
    per_core = measured["servers"]["service"]["at_8"]["requests_s"] / measured["machine"]["cores"]
    target = int(annotations["autoscaling.knative.dev/target"])
    used = int(annotations["autoscaling.knative.dev/target-utilization-percentage"])
    assert target * used / 100 < 0.8 * per_core * cores
    utilization = of_kind("HorizontalPodAutoscaler")["spec"]["metrics"][0]["resource"]["target"]
    assert used == utilization["averageUtilization"]
