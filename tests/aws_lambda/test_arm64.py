"""Both images for arm64, built and run in an engine that emulates it."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.common.emulator import docker, running
from tests.support.containers import BASE_IMAGE, STRICT
from tests.support.lambda_events import v2
from tests.support.paths import SAMPLE
from tests.support.pictures import encode, photo
from tests.support.ports import free_port
from tests.support.tools import ARM64_ENGINE, needs
from tests.support.wait import HANG_SECONDS, wait_until

pytestmark = [needs(ARM64_ENGINE), pytest.mark.filterwarnings("ignore::ResourceWarning")]

PHOTOS = (SAMPLE.read_bytes(), encode(photo("coffee.png"), "PNG"))


@pytest.fixture(scope="module")
def engine() -> Iterator[None]:
    """Docker commands go to the engine with images for arm64."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", os.environ["ARM64_DOCKER_HOST"])
        try:
            docker("image", "inspect", BASE_IMAGE)
        except subprocess.CalledProcessError:
            docker("pull", "--quiet", "--platform", "linux/arm64", BASE_IMAGE)
        yield


def built(target: str) -> str:
    """The name of the image. With a base image of another architecture Docker builds one of that
    architecture, with no more than a warning."""
    assert architecture(BASE_IMAGE) == "arm64"
    name = f"classifier-arm64-{target}-under-test"
    options = ("--quiet", "--platform", "linux/arm64", "--target", target, "--tag", name)
    docker("build", *options, ".", timeout=900)
    assert architecture(name) == "arm64"
    return name


def architecture(image: str) -> str:
    return docker("image", "inspect", "-f", "{{.Architecture}}", image)


def test_lambda_image_answers_as_x86_64_does(engine: None, client: httpx.Client) -> None:
    options = [part for part in STRICT if part not in ("--network", "none")]
    with running(built("lambda"), *options, "--memory", "1769m") as function:
        assert machine(function.container) == "aarch64"
        for content in PHOTOS:
            request = httpx.Request("POST", "http://x", files={"file": content})
            headers = {"content-type": request.headers["content-type"]}
            event = v2("POST", "/", request.read(), headers)
            response = function.invoke(event, timeout=HANG_SECONDS)
            assert response["statusCode"] == 200
            expected = client.post("/", files={"file": content}).json()
            assert_same(json.loads(response["body"]), expected)


def test_web_image_answers_as_x86_64_does(engine: None, client: httpx.Client) -> None:
    port = free_port()
    restricted = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    publish = ("--publish", f"127.0.0.1:{port}:8000")
    name = docker("run", "--detach", *restricted, "--memory", "1g", *publish, built("web"))
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS) as web:
            wait_until(lambda: is_up(name, web), "an answer")
            assert machine(name) == "aarch64"
            for content in PHOTOS:
                response = web.post("/", files={"file": content})
                assert response.status_code == 200
                expected = client.post("/", files={"file": content}).json()
                assert_same(response.json(), expected)
    finally:
        docker("rm", "--force", name)


def machine(container: str) -> str:
    code = "import platform; print(platform.machine())"
    return docker("exec", container, "python", "-c", code)


def is_up(container: str, web: httpx.Client) -> bool:
    """Raises `AssertionError` if the container has exited."""
    assert docker("inspect", "-f", "{{.State.Status}}", container) == "running"
    try:
        return web.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def assert_same(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    """Equal logits give probabilities that differ at most in the last bits: softmax uses floats."""
    labels, probabilities = (
        [[one[name] for one in found["predictions"]] for found in (actual, expected)]
        for name in ("label", "probability")
    )
    assert len(labels[0]) > 1
    assert labels[0] == labels[1]
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-6)
