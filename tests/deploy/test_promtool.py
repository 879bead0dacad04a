"""promtool, Prometheus's own tool, accepts the configuration and runs the tests of the rules."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.manifests import DEPLOY, of_kind, read
from tests.support.tools import PROMTOOL, needs

pytestmark = needs(PROMTOOL)

PROMETHEUS = DEPLOY / "prometheus"
CASES = sorted((PROMETHEUS / "tests").glob("*.yml"))
SLOW = ("confidence.yml",)
"""With windows of days"""


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *arguments], check=False, capture_output=True, text=True, cwd=PROMETHEUS
    )


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.stem, marks=pytest.mark.slow if case.name in SLOW else ())
        for case in CASES
    ],
)
def test_rules_record_and_alert_as_described(case: Path) -> None:
    done = promtool("test", "rules", str(case))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_with_another_threshold_fails_its_test(tmp_path: Path) -> None:
    alerts = (PROMETHEUS / "rules" / "alerts.yml").read_text()
    changed_alerts = alerts.replace("requests_waiting[2m]) > 0", "requests_waiting[2m]) > 200")
    assert changed_alerts != alerts
    (tmp_path / "alerts.yml").write_text(changed_alerts)
    case = read(PROMETHEUS / "tests" / "load.yml")
    case["rule_files"] = [str(PROMETHEUS / "rules" / "recording.yml"), str(tmp_path / "alerts.yml")]
    changed = tmp_path / "load.yml"
    changed.write_text(yaml.safe_dump(case))
    assert promtool("test", "rules", str(changed)).returncode != 0


def test_every_alert_has_a_test() -> None:
    alerts = {
        rule["alert"]
        for group in read(PROMETHEUS / "rules" / "alerts.yml")["groups"]
        for rule in group["rules"]
    }
    tested = {
        test["alertname"]
        for case in CASES
        for each in read(case)["tests"]
        for test in each.get("alert_rule_test", ())
        if test["exp_alerts"]
    }
    assert tested == alerts


def test_promtool_accepts_the_configuration() -> None:
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stderr


def test_promtool_accepts_the_configuration_for_kubernetes(tmp_path: Path) -> None:
    """But for the discovery of pods, which Debian's build lacks."""
    configuration = read(PROMETHEUS / "kubernetes.yml")
    (job,) = configuration["scrape_configs"]
    (discovery,) = job.pop("kubernetes_sd_configs")
    assert discovery["role"] == "pod"
    (tmp_path / "rules").symlink_to(PROMETHEUS / "rules")
    file = tmp_path / "kubernetes.yml"
    file.write_text(yaml.safe_dump(configuration))
    done = promtool("check", "config", str(file))
    assert done.returncode == 0, done.stderr
    assert job["job_name"] == read(PROMETHEUS / "prometheus.yml")["scrape_configs"][0]["job_name"]


def test_prometheus_reads_the_pods_of_the_deployment() -> None:
    (job,) = read(PROMETHEUS / "kubernetes.yml")["scrape_configs"]
    pod = of_kind("Deployment")["spec"]["template"]["metadata"]
    (selector,) = job["kubernetes_sd_configs"][0]["selectors"]
    label, _, value = selector["label"].partition("=")
    assert pod["labels"][label] == value
    read_annotations = {
        name.removeprefix("__meta_kubernetes_pod_annotation_")
        for rule in job["relabel_configs"]
        for name in rule["source_labels"]
        if "annotation" in name
    }
    assert read_annotations == {re.sub("[^a-z]", "_", name) for name in pod["annotations"]}
