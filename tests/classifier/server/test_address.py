"""The address: HOST and PORT, uvicorn's options, and the health check that asks there."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from classifier.server.health import address
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.server import SERVER_COMMAND, Server, run, server_environment, serving_as_set
from tests.support.wait import HANG_SECONDS, wait_until


def check_health(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run the health check of a container with this environment."""
    return run(sys.executable, "-m", "classifier.server.health", **environment)


def port_of(server: Server) -> int | None:
    return httpx.URL(server.url).port


def test_service_listens_where_the_variables_say(tmp_path: Path) -> None:
    """Amazon SageMaker starts the container with the argument `serve`. A proxy in the environment
    is not asked."""
    variables = {"PORT": str(free_port()), "HOST": "127.0.0.2"}
    with serving_as_set(tmp_path / "log", "serve", **variables) as server:
        assert server.url == f"http://127.0.0.2:{variables['PORT']}"
        through_a_proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
        # The check waits for 2 s, which a busy machine may need.
        wait_until(
            lambda: check_health(**variables, **through_a_proxy).returncode == 0, "a response"
        )
        wrong = check_health(**{**variables, "HOST": "127.0.0.3"})
        assert wrong.returncode == 1
        assert wrong.stderr.startswith(f"error: 127.0.0.3 port {variables['PORT']}: ")
        assert wrong.stderr.count("\n") == 1


def test_workers_listen_where_the_variables_say(tmp_path: Path) -> None:
    port = str(free_port())
    with serving_as_set(tmp_path / "log", PORT=port, WEB_CONCURRENCY="2") as server:
        assert server.url == f"http://127.0.0.1:{port}"


def accepts(host: str, port: int) -> bool:
    """Whether a connection to this address is accepted."""
    try:
        socket.create_connection((host, port)).close()
    except ConnectionRefusedError:
        return False
    return True


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_all_addresses_of_ipv6_are_none_of_ipv4(tmp_path: Path, workers: str) -> None:
    """However many processes there are. The port may be another program's on IPv4."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))  # and refuses connections, as it does not listen
        port = other.getsockname()[1]
        variables = {"HOST": "::", "PORT": str(port), "WEB_CONCURRENCY": workers}
        with serving_as_set(tmp_path / "log", **variables) as server:
            assert server.url == f"http://[::]:{port}"
            assert accepts("::1", port)
            assert not accepts("127.0.0.1", port)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_empty_host_is_all_addresses_of_ipv4_and_ipv6(tmp_path: Path, workers: str) -> None:
    port, log = free_port(), tmp_path / "log"
    command = [*SERVER_COMMAND, "--host", "", "--port", str(port), "--workers", workers]
    folder, environment = ROOT / "function", server_environment()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: accepts("127.0.0.1", port), "a listening server")
        wait_until(lambda: accepts("::1", port), "a server that listens on IPv6")
    finally:
        process.terminate()
        process.wait(timeout=HANG_SECONDS)


def test_options_and_uvicorns_own_variables_override(tmp_path: Path) -> None:
    wrong, right = str(free_port()), free_port()
    with serving_as_set(tmp_path / "log", "--port", str(right), PORT=wrong) as server:
        assert port_of(server) == right
    own = {"UVICORN_PORT": str(right), "PORT": wrong, "HOST": "0.0.0.0"}
    with serving_as_set(tmp_path / "log", **own) as server:
        assert port_of(server) == right
        wait_until(lambda: check_health(**own).returncode == 0, "a response")


@pytest.mark.parametrize("port", ["http", "0", "-1", "65536", "80.5", "tcp://10.0.0.1:8000"])
def test_invalid_port_is_one_line_and_status_2(port: str) -> None:
    done = run(*SERVER_COMMAND, PORT=port)
    assert done.returncode == 2
    assert done.stderr == f"error: PORT must be a whole number from 1 to 65535; it is {port!r}.\n"
    assert check_health(PORT=port).stderr == done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("no.such.host.invalid", ""),  # the words are the resolver's
        ("[::1]", ""),
        ("203.0.113.1", "This machine does not have the address"),
        ("a..b", ""),
    ],
)
def test_address_that_cannot_be_used_is_one_line_and_status_2(
    host: str, reason: str, workers: str
) -> None:
    port = free_port()
    done = run(*SERVER_COMMAND, HOST=host, PORT=str(port), WEB_CONCURRENCY=workers)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: The service cannot listen on {host} port {port}: ")
    assert reason in done.stderr
    assert done.stderr.endswith(". Choose another HOST or PORT.\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("port", ["-1", "65536", "70000"])
def test_option_port_that_cannot_be_is_one_line_and_status_2(port: str, workers: str) -> None:
    done = run(*SERVER_COMMAND, "--port", port, "--workers", workers)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: The service cannot listen on 127.0.0.1 port {port}: A port is a number from 0 to "
        "65535. Choose another HOST or PORT.\n"
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_port_in_use_is_one_line_and_status_2(workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run(*SERVER_COMMAND, PORT=str(port), WEB_CONCURRENCY=workers)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: The service cannot listen on 127.0.0.1 port {port}: Address already in use. "
        "Choose another HOST or PORT.\n"
    )


def test_health_check_of_a_service_that_is_not_there_fails() -> None:
    port = free_port()
    done = check_health(PORT=str(port))
    assert done.returncode == 1
    assert done.stderr == f"error: 127.0.0.1 port {port}: [Errno 111] Connection refused\n"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("127.0.0.1", 8000)),
        ({"HOST": "0.0.0.0", "PORT": "8080"}, ("127.0.0.1", 8080)),
        ({"HOST": "::"}, ("::1", 8000)),
        ({"HOST": "10.1.2.3", "PORT": " 80 "}, ("10.1.2.3", 80)),
        ({"HOST": "10.1.2.3", "UVICORN_HOST": "localhost"}, ("localhost", 8000)),
        ({"PORT": "1", "UVICORN_PORT": "2"}, ("127.0.0.1", 2)),
        ({"PORT": "1", "UVICORN_PORT": ""}, ("127.0.0.1", 1)),
    ],
    ids=str,
)
def test_health_check_asks_where_the_service_listens(
    environment: dict[str, str], expected: tuple[str, int]
) -> None:
    assert address(environment) == expected
