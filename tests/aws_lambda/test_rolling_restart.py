"""A rolling restart of two containers of the web image behind a balancer that follows /readyz."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from classifier.server.draining import SAME_SIGNAL_SECONDS
from local.common.emulator import docker
from tests.support.balancer import Balancer, balancing
from tests.support.containers import RESTRICTED
from tests.support.paths import SAMPLE
from tests.support.ports import free_port
from tests.support.steady_load import steady_load
from tests.support.wait import HANG_SECONDS, wait_until

DRAIN_SECONDS = 2 * HANG_SECONDS
"""The test ends it by a second signal, when the balancer has reacted: however long that takes."""


@contextmanager
def container(image: str, port: int) -> Iterator[str]:
    """The name of a running container that serves on `port` of the loopback interface."""
    options = ["--env", f"DRAIN_SECONDS={DRAIN_SECONDS}", "--env", "PORT=8080"]
    publish = ["--publish", f"127.0.0.1:{port}:8080"]
    name = docker("run", "--detach", *RESTRICTED, *options, *publish, image)
    try:
        yield name
    finally:
        docker("rm", "--force", name)


def stop(name: str, balancer: Balancer, port: int) -> None:
    """docker stop, which waits for the end of draining."""
    with ThreadPoolExecutor(1) as stopping:
        stopped = stopping.submit(docker, "stop", "--time", str(2 * DRAIN_SECONDS), name)
        wait_until(
            lambda: not balancer.is_ready(port) and not balancer.connections(port),
            "a balancer that has left the container",
        )
        time.sleep(SAME_SIGNAL_SECONDS)
        docker("kill", "--signal", "TERM", name)
        stopped.result()


def test_no_request_fails_while_the_containers_restart(web_image: str) -> None:
    ports = [free_port() for _ in range(2)]
    with (
        container(web_image, ports[0]) as first,
        container(web_image, ports[1]) as second,
        balancing(ports) as balancer,
    ):

        def wait_until_both_are_ready() -> None:
            wait_until(lambda: all(map(balancer.is_ready, ports)), "two containers")

        wait_until_both_are_ready()
        with steady_load(balancer.url, SAMPLE.read_bytes()) as load:
            for name, port in zip((first, second), ports, strict=True):
                load.wait_for_more()
                stop(name, balancer, port)
                assert docker("inspect", "-f", "{{.State.ExitCode}}", name) == "0"
                docker("start", name)
                wait_until_both_are_ready()
                load.wait_for_more()
        assert set(load.results) == {200}
