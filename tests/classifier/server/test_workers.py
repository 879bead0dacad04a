"""Worker processes: their number, their shares, and how they start, serve and end."""

import os
import signal
import socket
import subprocess
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
import pytest
from PIL import Image

from classifier.server import shared_metrics, workers
from classifier.server.workers import CORES_PER_PROCESS, PROCESS_BYTES, default_workers
from classifier.settings import Settings, SettingsError
from tests.support.metrics import Scrape
from tests.support.paths import ROOT
from tests.support.pictures import encode
from tests.support.server import (
    SERVER_COMMAND,
    Server,
    run,
    server_environment,
    serving,
    serving_by_command,
)
from tests.support.wait import HANG_SECONDS, wait_until

MIB = 2**20

CONNECTIONS = 64
"""So many that, by chance, each worker gets some."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "usable_cores", lambda: 16)
    monkeypatch.setattr(workers, "usable_memory", lambda: 3 * PROCESS_BYTES)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(threads=1), 1),
        (Settings(threads=CORES_PER_PROCESS), 1),
        (Settings(threads=CORES_PER_PROCESS + 1), 2),
        (Settings(threads=64, memory_bytes=99 * PROCESS_BYTES), 16 // CORES_PER_PROCESS),
        (Settings(threads=16), 3),
        (Settings(threads=16, memory_bytes=100 * MIB), 1),
        (Settings(threads=16, max_held_bytes=250 * MIB, max_bytes=100 * MIB), 2),
    ],
    ids=["one thread", "as many cores as a process feeds", "one more", "more threads than cores",
         "little memory", "too little memory", "room for two of the largest bodies"],
)  # fmt: skip
def test_number_follows_from_cores_memory_and_settings(settings: Settings, expected: int) -> None:
    assert default_workers(settings) == expected


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("settings", "warned"),
    [(Settings(threads=16), True), (Settings(threads=16, web_concurrency=1), False),
     (Settings(threads=2), False)],
    ids=["many cores", "one process by choice", "few threads"],
)  # fmt: skip
def test_one_process_on_many_cores_logs_the_command(
    settings: Settings, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """uvicorn is imported here, as in a process that it serves."""
    assert workers.service_processes(settings) == 1
    assert ("run: python -m classifier.server" in caplog.text) == warned


def largest_image(server: Server) -> int:
    """MiB for an image, as the refusal of one that takes more says."""
    large = encode(Image.new("RGB", (8000, 8000)), "PNG")
    response = server.client.post("/", files={"file": large})
    assert response.status_code == 413
    return int(response.json()["detail"].partition("this deployment has ")[2].split()[0])


@pytest.mark.parametrize(
    ("options", "concurrency", "mebibytes"),
    [((), "1", 120), (("--workers", "2"), "", 60), ((), "2", 60), (("--workers", "1"), "2", 120),
     (("--reload",), "2", 120)],
    ids=["one", "--workers", "WEB_CONCURRENCY", "--workers overrides", "--reload has one"],
)  # fmt: skip
def test_uvicorn_workers_divide_the_memory(
    tmp_path: Path, options: tuple[str, ...], concurrency: str, mebibytes: int
) -> None:
    """Given 160 MiB, of which a quarter is for bodies, and uvicorn without the command."""
    limits = {"MEMORY_BYTES": str(160 * MIB), "WEB_CONCURRENCY": concurrency}
    if not concurrency:
        del limits["WEB_CONCURRENCY"]
    with serving(tmp_path / "log", *options, **limits) as server:
        assert largest_image(server) == mebibytes


def test_uvicorn_ends_when_its_workers_refuse_to_start(tmp_path: Path) -> None:
    """They are not restarted again and again."""
    command = [*SERVER_COMMAND[:2], "uvicorn", "main:app", "--workers", "2", "--port", "0"]
    done = run(*command, MEMORY_BYTES=str(100 * MIB))
    assert "error: 50 MiB of memory are left for images in each of 2 processes" in done.stderr


def test_few_threads_are_served_by_one_process(tmp_path: Path, sample: bytes) -> None:
    with serving_by_command(tmp_path / "log", THREADS="1") as server:
        assert server.client.post("/", files={"file": sample}).status_code == 200
        assert psutil.Process(server.process.pid).children() == []
        assert "PROMETHEUS_MULTIPROC_DIR" not in psutil.Process(server.process.pid).environ()
    assert server.process.returncode == 0


def workers_of(server: Server) -> list[psutil.Process]:
    """The workers that listen."""
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if psutil.CONN_LISTEN in states(child)]


def states(process: psutil.Process) -> Counter[str]:
    """The states of its TCP connections."""
    try:
        return Counter(connection.status for connection in process.net_connections("tcp"))
    except psutil.Error:
        return Counter()


@pytest.mark.parametrize(
    ("options", "environment"),
    [((), {"WEB_CONCURRENCY": "2"}), (("--workers", "2"), {"WEB_CONCURRENCY": "3"})],
    ids=["WEB_CONCURRENCY", "--workers"],
)
def test_each_worker_listens_and_metrics_are_sums(
    tmp_path: Path, sample: bytes, options: tuple[str, ...], environment: dict[str, str]
) -> None:
    limits = {"MEMORY_BYTES": str(160 * MIB), "THREADS": "3"}
    with serving_by_command(tmp_path / "log", *options, **environment, **limits) as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers")
        assert largest_image(server) == 60

        address = httpx.URL(server.url)
        with ExitStack() as stack:
            for _ in range(CONNECTIONS):
                connection = socket.create_connection((address.host, address.port or 80))
                stack.enter_context(connection)

            def accepted() -> list[int]:
                return [states(each)[psutil.CONN_ESTABLISHED] for each in workers_of(server)]

            wait_until(lambda: sum(accepted()) == CONNECTIONS, "accepted connections")
            assert min(accepted()) > 0

        for _ in range(20):
            assert server.client.post("/", files={"file": sample}).status_code == 200
        wait_until(lambda: Scrape(server.client).finished(200) >= 20, "counted requests")
        assert Scrape(server.client).decoded == 20
        folder = Path(workers_of(server)[0].environ()["PROMETHEUS_MULTIPROC_DIR"])
        assert len(list(folder.glob("histogram_*.db"))) == 2

        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=HANG_SECONDS) == 0
    assert not folder.exists()
    with pytest.raises(httpx.ConnectError):
        server.client.get("/healthz")


def test_killed_worker_is_replaced_and_no_connection_waits_for_it(
    tmp_path: Path, sample: bytes
) -> None:
    """Given two workers, one of which is killed: at once, each new connection gets its response
    from the other."""
    with serving_by_command(tmp_path / "log", WEB_CONCURRENCY="2") as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers")
        first, second = workers_of(server)
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=HANG_SECONDS)
        statuses = {server.client.post("/", files={"file": sample}).status_code for _ in range(20)}
        assert statuses == {200}
        wait_until(lambda: len(workers_of(server)) == 2, "another worker")
        assert first not in workers_of(server)
        assert second in workers_of(server)
    assert server.process.returncode == 0


def test_workers_of_a_killed_supervisor_end(tmp_path: Path) -> None:
    """They would take connections from the next service on this port."""
    with serving_by_command(tmp_path / "log", WEB_CONCURRENCY="2") as server:
        wait_until(lambda: len(workers_of(server)) == 2, "two workers")
        orphans = workers_of(server)
        server.process.kill()
        _, alive = psutil.wait_procs(orphans, timeout=HANG_SECONDS)
        assert alive == []


def test_ctrl_c_while_a_worker_imports_ends_without_a_traceback() -> None:
    """A terminal sends the signal to the workers, too."""
    with subprocess.Popen(
        [*SERVER_COMMAND, "--port", "0"],
        cwd=ROOT / "function",
        env=server_environment(WEB_CONCURRENCY="2"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            # the first worker, and the resource tracker of multiprocessing
            wait_until(lambda: len(psutil.Process(process.pid).children()) == 2, "a worker")
            os.killpg(process.pid, signal.SIGINT)
            _, stderr = process.communicate(timeout=HANG_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in stderr


def test_shared_directory_of_the_user_is_kept(tmp_path: Path) -> None:
    shared = tmp_path / "metrics"
    shared.mkdir()
    environment = {"WEB_CONCURRENCY": "2", "PROMETHEUS_MULTIPROC_DIR": str(shared)}
    with serving_by_command(tmp_path / "log", **environment) as server:
        assert Scrape(server.client).value("requests_total", status="200") >= 0
    assert list(shared.glob("*.db"))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WEB_CONCURRENCY": "many"}, "WEB_CONCURRENCY must be a whole number of processes"),
        ({"WEB_CONCURRENCY": "2", "THREADS": "1"}, "THREADS must be WEB_CONCURRENCY, 2, or more"),
        ({"WEB_CONCURRENCY": "2", "MAX_HELD_BYTES": "110000000"}, "it is 55000000 in each of 2"),
        ({"WEB_CONCURRENCY": "2", "MEMORY_BYTES": "100000000"}, "or reduce WEB_CONCURRENCY"),
        ({"WEB_CONCURRENCY": "2", "MODEL_DIR": "/none"}, "Cannot read /none/model.json"),
        ({"WEB_CONCURRENCY": "1", "MODEL_DIR": "/none"}, "Cannot read /none/model.json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_invalid_setting_is_one_line_and_status_2(
    environment: dict[str, str], message: str
) -> None:
    done = run(*SERVER_COMMAND, "--port", "0", **environment)
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert "Traceback" not in done.stderr


def test_port_in_use_is_an_error(tmp_path: Path) -> None:
    """The processes of one service share a port, those of two do not."""
    with serving_by_command(tmp_path / "log", WEB_CONCURRENCY="2") as server:
        port = str(httpx.URL(server.url).port)
        done = run(*SERVER_COMMAND, "--port", port, WEB_CONCURRENCY="2")
    assert done.returncode != 0
    assert "Address already in use" in done.stderr


def test_workers_share_a_unix_socket(tmp_path: Path, sample: bytes) -> None:
    log, environment = tmp_path / "log", server_environment(WEB_CONCURRENCY="2")
    with (
        # A short path: the address of a Unix socket has at most about 100 bytes.
        TemporaryDirectory(prefix="uds") as short,
        log.open("wb") as output,
        subprocess.Popen(
            [*SERVER_COMMAND, "--uds", f"{short}/socket"],
            cwd=ROOT / "function",
            env=environment,
            stderr=output,
        ) as process,
    ):
        path = Path(short) / "socket"
        try:
            wait_until(lambda: log.read_text().count("startup complete") == 2, "two workers")
            transport = httpx.HTTPTransport(uds=str(path))
            with httpx.Client(transport=transport, timeout=HANG_SECONDS) as client:
                response = client.post("http://service/", files={"file": sample})
                assert response.status_code == 200
        finally:
            process.terminate()
        assert process.wait(timeout=HANG_SECONDS) == 0
        assert not path.exists()


def test_metrics_fall_back_to_a_writable_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_metrics, "_FOLDERS", (str(tmp_path / "none"), str(tmp_path)))
    monkeypatch.delenv(shared_metrics.VARIABLE, raising=False)
    with shared_metrics.shared_metrics(2):
        folder = Path(os.environ.pop(shared_metrics.VARIABLE))
        assert folder.parent == tmp_path
        assert folder.is_dir()
    assert not folder.exists()


def test_metrics_without_a_writable_directory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_metrics, "_FOLDERS", (str(tmp_path / "none"),))
    monkeypatch.delenv(shared_metrics.VARIABLE, raising=False)
    with (
        pytest.raises(SettingsError, match="Set PROMETHEUS_MULTIPROC_DIR to one"),
        shared_metrics.shared_metrics(2),
    ):
        pass
