"""docker build --target web: the image as a web server, in a restricted container."""

import json
import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from classifier import __version__
from local.common.emulator import docker
from tests.support.containers import BASE_IMAGE, RESTRICTED
from tests.support.metrics import Scrape
from tests.support.paths import SAMPLE
from tests.support.ports import free_port
from tests.support.wait import HANG_SECONDS, wait_until

SECRET = re.compile(r"secret|token|password|access_key", re.IGNORECASE)


@pytest.fixture(scope="module", params=["65534", "1000"], ids=["its own user", "another user"])
def container(web_image: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The name and the URL of a healthy container."""
    user = () if request.param == "65534" else ("--user", request.param)
    port = free_port()
    publish = ["--publish", f"127.0.0.1:{port}:8000"]
    name = docker("run", "--detach", *RESTRICTED, *user, *publish, web_image)
    try:
        wait_until(lambda: is_healthy(name), "a healthy container")
        assert docker("exec", name, "id", "-u") == request.param
        yield name, f"http://127.0.0.1:{port}"
    finally:
        docker("rm", "--force", name)


def is_healthy(container: str) -> bool:
    """The result of the image's health check, which a slow machine may fail at first. Raises
    `AssertionError` if the container has exited."""
    state = "{{.State.Status}} {{.State.Health.Status}}"
    status, health = docker("inspect", "-f", state, container).split()
    assert status == "running", docker("logs", container)
    return health == "healthy"


def test_container_needs_no_capabilities_and_no_writable_files(
    container: tuple[str, str], client: httpx.Client
) -> None:
    _, url = container
    response = httpx.post(url, files={"file": SAMPLE.read_bytes()}, timeout=HANG_SECONDS)
    assert response.status_code == 200
    assert response.json() == client.post("/", files={"file": SAMPLE.read_bytes()}).json()


def test_platform_sets_the_port(web_image: str) -> None:
    """As Cloud Run does with PORT, and SageMaker with the argument."""
    port = free_port()
    options = ["--env", "PORT=8080", "--publish", f"127.0.0.1:{port}:8080"]
    name = docker("run", "--detach", *RESTRICTED, *options, web_image, "serve")
    try:
        wait_until(lambda: is_healthy(name), "a healthy container")
        response = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=HANG_SECONDS)
        assert response.json() == {"status": "ok"}
    finally:
        docker("rm", "--force", name)


def test_invalid_port_is_one_line_and_status_2(web_image: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        docker("run", "--rm", *RESTRICTED, "--env", "PORT=http", web_image)
    assert failed.value.returncode == 2
    (line,) = failed.value.stderr.splitlines()
    assert line.startswith("error: PORT must be a whole number")


def test_health_check_of_the_image_fails_where_nothing_listens(web_image: str) -> None:
    check = docker("inspect", "-f", "{{json .Config.Healthcheck.Test}}", web_image)
    kind, *command = json.loads(check)
    assert kind == "CMD"
    with pytest.raises(subprocess.CalledProcessError) as failed:
        docker("run", "--rm", "--entrypoint", command[0], web_image, *command[1:])
    assert failed.value.returncode == 1
    assert failed.value.stderr.startswith("error: 127.0.0.1 port 8000: ")


def test_container_files_are_not_writable(web_image: str) -> None:
    """Even without --read-only, only root may write."""
    code = (
        "import os, pathlib; paths = [*pathlib.Path('/var/task').rglob('*')]; "
        "print(len(paths), sum(os.access(path, os.W_OK) for path in paths))"
    )
    printed = docker("run", "--rm", "--entrypoint", "python", web_image, "-c", code)
    files, writable = map(int, printed.split())
    assert files > 1000
    assert writable == 0


def test_image_says_what_it_is(web_image: str) -> None:
    labels = json.loads(docker("inspect", "-f", "{{json .Config.Labels}}", web_image))
    found = {
        name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()
    }
    assert (found["version"], found["licenses"]) == (__version__, "Apache-2.0")
    assert (found["base.name"], found["revision"]) == (BASE_IMAGE, "")
    assert {"title", "description", "source", "base.digest"} <= found.keys()


def test_image_contains_no_secrets(web_image: str) -> None:
    variables = docker("inspect", "-f", "{{json .Config.Env}}", web_image)
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", web_image)
    assert not SECRET.search(variables), variables
    assert not SECRET.search(history), history


def test_worker_processes_need_no_writable_directory(web_image: str) -> None:
    """They share their metrics in memory."""
    port = free_port()
    options = ["--memory", "1g", "--env", "WEB_CONCURRENCY=2"]
    publish = ["--publish", f"127.0.0.1:{port}:8000"]
    name = docker("run", "--detach", *RESTRICTED, *options, *publish, web_image)
    try:
        wait_until(lambda: is_healthy(name), "a healthy container")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS) as client:
            for _ in range(4):
                headers = {"connection": "close"}
                files = {"file": SAMPLE.read_bytes()}
                assert client.post("/", files=files, headers=headers).status_code == 200
            wait_until(lambda: Scrape(client).decoded == 4, "the sum of both workers")
        docker("stop", "--time", str(HANG_SECONDS), name)
        assert docker("inspect", "-f", "{{.State.ExitCode}}", name) == "0"
    finally:
        docker("rm", "--force", name)
