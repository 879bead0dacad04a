"""The dashboard and what provisions it fit each other. Grafana itself is not among the tools."""

from itertools import combinations
from typing import Any

from local.common.paths import ROOT
from tests.deploy.manifests import DEPLOY, read
from tests.deploy.queries import DASHBOARD, dashboard, panels

GRAFANA = DEPLOY / "grafana"
COLUMNS = 24
"""Of Grafana's grid"""

KINDS = {"timeseries", "stat", "heatmap", "table"}


def test_panels_have_unique_ids_and_do_not_overlap() -> None:
    all_panels = dashboard()["panels"]
    assert len({panel["id"] for panel in all_panels}) == len(all_panels)
    for panel in all_panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS, panel["title"]
    for first, second in combinations(all_panels, 2):
        assert not _overlap(first["gridPos"], second["gridPos"]), second["title"]


def _overlap(first: dict[str, int], second: dict[str, int]) -> bool:
    def apart(start: str, size: str) -> bool:
        return (
            first[start] + first[size] <= second[start]
            or second[start] + second[size] <= first[start]
        )

    return not (apart("x", "w") or apart("y", "h"))


def test_panels_have_a_known_kind_a_title_and_the_chosen_data_source() -> None:
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels():
        assert panel["type"] in KINDS
        assert panel["title"]
        assert panel["datasource"] == source, panel["title"]
        assert panel["targets"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references), panel["title"]
        assert all(target["datasource"] == source for target in panel["targets"])


def test_variables_are_defined_and_used() -> None:
    defined: dict[str, Any] = {each["name"]: each for each in dashboard()["templating"]["list"]}
    assert set(defined) == {"datasource", "job", "instance"}
    assert defined["datasource"]["type"] == "datasource"
    assert defined["datasource"]["query"] == "prometheus"
    expressions = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    assert "$job" in expressions
    assert "$instance" in expressions
    assert "classifier_model_info" in defined["job"]["definition"]


def test_the_schema_is_one_that_grafana_migrates() -> None:
    assert dashboard()["schemaVersion"] >= 39  # Grafana 11


def test_provisioning_names_the_mounted_folders_and_prometheus() -> None:
    compose = read(DEPLOY / "compose.yaml")["services"]
    mounts = dict(
        volume.split(":")[:2] for volume in compose["grafana"]["volumes"] if volume[0] == "."
    )
    (provider,) = read(GRAFANA / "provisioning/dashboards/classifier.yml")["providers"]
    (folder,) = [host for host, path in mounts.items() if path == provider["options"]["path"]]
    assert (DEPLOY / folder / DASHBOARD.name).samefile(DASHBOARD)
    assert (DEPLOY / "grafana/provisioning").samefile(DEPLOY / _host(mounts, "provisioning"))
    (source,) = read(GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    assert source["type"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
    scrape = read(DEPLOY / "prometheus/prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scrape


def _host(mounts: dict[str, str], name: str) -> str:
    (found,) = [host for host, path in mounts.items() if path == f"/etc/grafana/{name}"]
    return found


def test_the_dashboard_is_where_compose_says_it_is() -> None:
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    assert f"http://localhost:3000/d/{dashboard()['uid']}" in text
