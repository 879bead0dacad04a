"""docs/deploy.md says what deploy/ holds."""

import re

from classifier.memory import THREAD_BYTES
from classifier.server.workers import CORES_PER_PROCESS, PROCESS_BYTES
from tests.deploy.manifests import DEPLOY, container, of_kind, read
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")


def test_every_alert_is_explained() -> None:
    alerts = {
        rule["alert"]
        for group in read(DEPLOY / "prometheus" / "rules" / "alerts.yml")["groups"]
        for rule in group["rules"]
    }
    assert set(re.findall(r"^\| `(Classifier\w+)` \|", PAGE, re.MULTILINE)) == alerts


def test_paths_on_the_page_exist() -> None:
    names = re.findall(r"deploy/[\w./-]+\w", PAGE)
    assert len(set(names)) > 6
    for name in names:
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`((?:prometheus|grafana)/[\w./-]+\w)/?`", PAGE):
        assert (DEPLOY / name).exists(), name


def test_secret_is_created_before_the_pods_that_read_it() -> None:
    """Pods that are older than the secret would serve without a key."""
    (variable,) = (
        each for each in container(of_kind("Deployment"))["env"] if each["name"] == "API_KEY"
    )
    secret = variable["valueFrom"]["secretKeyRef"]
    create = f"kubectl create secret generic {secret['name']} --from-literal={secret['key']}="
    assert 0 < PAGE.find(create) < PAGE.find("kubectl apply -k deploy/kubernetes")


def test_sizes_are_those_of_the_manifests_and_of_the_service() -> None:
    limits = container(of_kind("Deployment"))["resources"]["limits"]
    autoscaler = of_kind("HorizontalPodAutoscaler")["spec"]
    pods = f"{autoscaler['minReplicas']} to {autoscaler['maxReplicas']} pods"
    assert f"{pods} of {limits['cpu']} cores" in PAGE
    assert limits["memory"] == "1Gi"
    assert PROCESS_BYTES == 2**30
    assert f"Add {THREAD_BYTES >> 20} MB for each core" in PAGE
    assert CORES_PER_PROCESS == 4
    assert "A process keeps four cores busy" in PAGE
    objective = read(DEPLOY / "prometheus" / "rules" / "recording.yml")["groups"][1]["rules"][0]
    assert objective["expr"] == "vector(0.001)"
    assert "the objective: 99.9 % in 30 days" in PAGE
