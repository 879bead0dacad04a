"""Paths and variables in the manifests are those of the service."""

from classifier.settings import Settings
from tests.deploy.manifests import container, of_kind, probe_paths
from tests.support.server import Server


def test_probes_ask_for_paths_of_the_service(server: Server) -> None:
    paths = probe_paths(of_kind("Deployment"))
    annotations = of_kind("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert paths == {"/livez", "/readyz"}
    for path in (*paths, annotations["prometheus.io/path"]):
        assert server.client.get(path).status_code == 200, path


def test_variables_are_settings_with_valid_values() -> None:
    variables = container(of_kind("Deployment"))["env"]
    values = {each["name"]: each.get("value", "any-key") for each in variables}
    settings = Settings.from_environment(values)
    for name in values:
        assert hasattr(settings, name.lower()), name
