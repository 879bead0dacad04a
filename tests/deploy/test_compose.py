"""deploy/compose.yaml matches the Compose Specification, and its parts fit each other."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from classifier import __version__
from classifier.settings import Settings
from tests.deploy.manifests import DEPLOY, container, of_kind, quantity, read

FILE = DEPLOY / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = read(FILE)["services"]
BASELINE_DAYS = 8
"""A week, a day ago (rules/recording.yml)"""


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """Validate against the schema that check-jsonschema ships."""
    command = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(
        [sys.executable, "-m", *command], check=False, capture_output=True, text=True
    )


def test_the_file_matches_the_compose_specification() -> None:
    done = check(FILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_misspelt_field_does_not_match(tmp_path: Path) -> None:
    wrong = read(FILE)
    wrong["services"]["classifier"]["readonly"] = True
    path = tmp_path / "compose.yaml"
    path.write_text(yaml.safe_dump(wrong))
    done = check(path)
    assert done.returncode == 1
    assert "readonly" in done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_containers_change_nothing_and_are_reached_from_this_machine_alone(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    mounts = [volume for volume in service.get("volumes", ()) if volume.startswith(".")]
    assert all(volume.endswith(":ro") for volume in mounts)
    assert all((DEPLOY / volume.split(":")[0]).exists() for volume in mounts)


@pytest.mark.parametrize("name", SERVICES)
def test_images_have_a_release_as_their_tag(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert tag.lstrip("v").count(".") == 2


def test_the_service_is_built_with_the_size_of_a_pod() -> None:
    service = SERVICES["classifier"]
    assert service["image"] == f"classifier-web:{__version__}"
    assert (DEPLOY / service["build"]["context"] / "Dockerfile").exists()
    limits = container(of_kind("Deployment"))["resources"]["limits"]
    own = service["deploy"]["resources"]["limits"]
    assert float(own["cpus"]) == quantity(limits["cpu"])
    assert quantity(own["memory"].replace("g", "Gi")) == quantity(limits["memory"])


def test_prometheus_finds_the_service_and_keeps_the_baseline() -> None:
    (job,) = read(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]
    (discovery,) = job["dns_sd_configs"]
    assert set(discovery["names"]) <= set(SERVICES)
    assert SERVICES["classifier"]["ports"] == [f"127.0.0.1:8000:{discovery['port']}"]
    (retention,) = [each for each in SERVICES["prometheus"]["command"] if "retention" in each]
    assert int(retention.rpartition("=")[2].rstrip("d")) >= BASELINE_DAYS


def test_the_service_may_finish_its_requests() -> None:
    assert int(SERVICES["classifier"]["stop_grace_period"].rstrip("s")) > Settings().body_seconds


def test_grafana_has_no_password_that_everybody_knows() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
