"""The manifests for Kubernetes: valid for its releases, and consistent with the service."""

import json
import re

import kubernetes_validate
import psutil
import pytest

from classifier import __version__
from classifier.cpu import usable_cores
from classifier.errors import RETRY_SECONDS
from classifier.images.limits import MAX_SECONDS
from classifier.memory import SERVICE_BYTES, THREAD_BYTES
from classifier.server.workers import PROCESS_BYTES, workers_for
from classifier.settings import Settings
from local.common.paths import ROOT
from tests.deploy.manifests import (
    KUBERNETES,
    Manifest,
    container,
    images,
    knative,
    kubernetes,
    of_kind,
    probes,
    quantity,
    read,
)
from tests.support.server import Server

RELEASES = ("1.27.0", kubernetes_validate.latest_version())
"""The first in which every field that the manifests use is on by default, and the newest known"""

SCALE_SECONDS = 45
"""From a load to a new pod: a sample of the metrics server (15 s by default), the autoscaler's
period (15 s by default), and as much for scheduling, image and start"""


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("manifest", kubernetes(), ids=lambda manifest: str(manifest["kind"]))
def test_manifests_match_the_schemas_of_kubernetes(manifest: Manifest, release: str) -> None:
    kubernetes_validate.validate(manifest, release, strict=True)


def test_a_misspelt_field_does_not_match_the_schemas() -> None:
    manifest = of_kind("Deployment")
    manifest["spec"]["template"]["spec"]["terminationGracePeriod"] = 60
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(manifest, RELEASES[-1], strict=True)


def test_every_manifest_is_applied() -> None:
    kustomization = read(KUBERNETES / "kustomization.yaml")
    files = {path.name for path in KUBERNETES.iterdir()} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files


def test_selectors_select_the_pods() -> None:
    pod = of_kind("Deployment")["spec"]["template"]
    labels = pod["metadata"]["labels"]
    spread = pod["spec"]["topologySpreadConstraints"]
    selectors = [
        of_kind("Deployment")["spec"]["selector"]["matchLabels"],
        of_kind("Service")["spec"]["selector"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        *(constraint["labelSelector"]["matchLabels"] for constraint in spread),
    ]
    assert len(selectors) == 5
    assert all(selector and selector.items() <= labels.items() for selector in selectors)


def test_the_autoscaler_scales_the_deployment_and_alone_sets_the_number_of_pods() -> None:
    deployment, autoscaler = of_kind("Deployment"), of_kind("HorizontalPodAutoscaler")["spec"]
    assert autoscaler["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }
    assert "replicas" not in deployment["spec"]
    assert autoscaler["minReplicas"] < autoscaler["maxReplicas"]


def test_one_pod_may_be_evicted_and_one_is_left() -> None:
    budget = of_kind("PodDisruptionBudget")["spec"]
    left = of_kind("HorizontalPodAutoscaler")["spec"]["minReplicas"] - budget["maxUnavailable"]
    assert budget["maxUnavailable"] >= 1
    assert left >= 1


def test_ports_are_that_of_the_image() -> None:
    exposed = re.findall(r"^EXPOSE (\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    (port,) = container(of_kind("Deployment"))["ports"]
    assert [str(port["containerPort"])] == exposed
    annotations = of_kind("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == exposed[0]
    assert {value["httpGet"]["port"] for value in probes(of_kind("Deployment")).values()} == {
        port["name"]
    }
    assert [each["targetPort"] for each in of_kind("Service")["spec"]["ports"]] == [port["name"]]


def test_the_image_is_that_of_this_version() -> None:
    assert container(of_kind("Deployment"))["image"] == "classifier-web"
    assert container(knative())["image"] == f"classifier-web:{__version__}"
    assert set(images()) == {("classifier-web", __version__)}


def test_only_a_process_that_does_not_respond_is_restarted() -> None:
    for manifest in (of_kind("Deployment"), knative()):
        assert probes(manifest)["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_an_overload_brings_new_pods_before_it_makes_one_unready() -> None:
    for manifest in (of_kind("Deployment"), knative()):
        probe = probes(manifest)["readinessProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] > SCALE_SECONDS


def test_a_pod_has_time_to_finish_its_longest_request() -> None:
    manifest = of_kind("Deployment")
    values = {each["name"]: each.get("value", "") for each in container(manifest)["env"]}
    settings = Settings.from_environment(values)
    measured = json.loads((ROOT / "docs/measured/benchmark.json").read_text())
    rate = measured["servers"]["service"]["at_8"]["requests_s"]
    queue_seconds = settings.queue / usable_cores() / (rate / measured["machine"]["cores"])
    longest = settings.body_seconds + RETRY_SECONDS + queue_seconds + MAX_SECONDS
    grace = manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert int(values["DRAIN_SECONDS"]) > 0
    assert grace > int(values["DRAIN_SECONDS"]) + longest


@pytest.mark.parametrize(
    "manifest", [of_kind("Deployment"), knative()], ids=lambda each: each["kind"]
)
def test_the_memory_of_a_pod_is_enough_for_the_largest_request(
    manifest: Manifest, server: Server
) -> None:
    resources = container(manifest)["resources"]
    assert resources["requests"] == resources["limits"]
    memory = quantity(resources["limits"]["memory"])
    cores = int(quantity(resources["limits"]["cpu"]))
    assert workers_for(cores) == 1
    assert memory >= PROCESS_BYTES
    resident = psutil.Process(server.process.pid).memory_info().rss
    budget = memory - resident - SERVICE_BYTES - cores * THREAD_BYTES
    assert budget / 4 >= Settings().max_bytes  # a quarter is for bodies


def test_pods_have_no_rights_that_they_do_not_need() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    for own in (
        pod["securityContext"] | container(of_kind("Deployment"))["securityContext"],
        container(knative())["securityContext"],
    ):
        assert own["runAsNonRoot"] is True
        assert own["runAsUser"] >= 1000
        assert own["readOnlyRootFilesystem"] is True
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert own["seccompProfile"] == {"type": "RuntimeDefault"}
