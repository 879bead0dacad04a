"""docker build --target web: the image as a web server, locked in as tightly as Docker can."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from local.common.emulator import docker, free_port
from tests.support.paths import SAMPLE

IMAGE = "classifier-web-under-test"
LOCKED_IN = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--pids-limit", "64", "--memory", "512m", "--health-interval", "1s"),
)
SECRET = re.compile(r"secret|token|password|access_key", re.IGNORECASE)


@pytest.fixture(scope="module")
def web() -> str:
    docker("build", "--quiet", "--tag", IMAGE, "--target", "web", ".")
    return IMAGE


@pytest.fixture(scope="module", params=["65534", "1000"], ids=["its own user", "another user"])
def container(web: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The name and the address of a container that has just started."""
    user = () if request.param == "65534" else ("--user", request.param)
    port = free_port()
    publish = ["--publish", f"127.0.0.1:{port}:8000"]
    name = docker("run", "--detach", *LOCKED_IN, *user, *publish, web)
    try:
        assert health_of(name) == "healthy", docker("logs", name)
        assert docker("exec", name, "id", "-u") == request.param
        yield name, f"http://127.0.0.1:{port}"
    finally:
        docker("rm", "--force", name)


def health_of(container: str) -> str:
    """What the image's health check says, once it says anything."""
    for _ in range(120):
        status = docker("inspect", "-f", "{{.State.Health.Status}}", container)
        if status != "starting":
            return status
        time.sleep(0.25)
    return "starting"


def test_it_classifies_without_rights_or_anything_writable(
    container: tuple[str, str], client: httpx.Client
) -> None:
    _, address = container
    answer = httpx.post(address, files={"file": SAMPLE.read_bytes()})
    assert answer.status_code == 200
    assert answer.json() == client.post("/", files={"file": SAMPLE.read_bytes()}).json()


def test_nothing_in_it_can_be_changed(web: str) -> None:
    """Not even where the container's files are not read-only: others than root may not write."""
    code = (
        "import os, pathlib; paths = [*pathlib.Path('/var/task').rglob('*')]; "
        "print(len(paths), sum(os.access(path, os.W_OK) for path in paths))"
    )
    printed = docker("run", "--rm", "--entrypoint", "python", web, "-c", code)
    files, writable = map(int, printed.split())
    assert files > 1000
    assert writable == 0


def test_the_image_holds_no_secrets(web: str) -> None:
    variables = docker("inspect", "-f", "{{json .Config.Env}}", web)
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", web)
    assert not SECRET.search(variables), variables
    assert not SECRET.search(history), history
