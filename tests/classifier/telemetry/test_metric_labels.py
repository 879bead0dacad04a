"""The metrics' names and labels, the gauges of queue and memory, and the names of 1.0."""

import signal
from pathlib import Path

import httpx
import pytest
from PIL import Image

from classifier.images import FORMATS, read_photo
from classifier.telemetry.old_names import OLD_NAMES
from tests.classifier.server.clients import Clients
from tests.support.gate import serving_gated
from tests.support.metrics import Scrape
from tests.support.pictures import encode_fast
from tests.support.server import Server, serving_by_command
from tests.support.wait import HANG_SECONDS, wait_until

DURATION = "request_duration_seconds_count"
GAUGES = ("queue_length", "queue_limit", "memory_used_bytes", "memory_limit_bytes")
MIB = 2**20


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/healthz", "/healthz", "2xx"),
        ("HEAD", "/", "/", "2xx"),
        ("GET", "/page/page.js", "/page", "2xx"),
        ("GET", "/page/none.js", "/page", "4xx"),
        ("GET", "/openapi.json", "/openapi.json", "2xx"),
        ("GET", "/docs/", "unmatched", "3xx"),
        ("GET", "/wp-login.php", "unmatched", "4xx"),
        ("DELETE", "/", "/", "4xx"),
        ("PROPFIND", "/", "/", "4xx"),
    ],
)
def test_duration_has_method_route_and_class_of_status(
    server: Server, method: str, path: str, route: str, status: str
) -> None:
    labels = {
        "method": method if method in ("GET", "HEAD") else "other",
        "route": route,
        "status": status,
    }
    before = Scrape(server.client).value(DURATION, **labels)
    server.client.request(method, path)
    wait_until(
        lambda: Scrape(server.client).value(DURATION, **labels) == before + 1, "a counted request"
    )


def test_path_below_a_gateway_prefix_has_the_same_route(tmp_path: Path) -> None:
    with serving_by_command(tmp_path / "log", "--root-path", "/photos") as server:
        server.client.get("/page/page.js")
        server.client.get("/model")

        def routes() -> set[str]:
            samples = Scrape(server.client).samples(f"classifier_{DURATION}")
            return {sample.labels["route"] for sample in samples}

        wait_until(lambda: routes() >= {"/page", "/model"}, "the routes without the prefix")
        assert routes() == {"/healthz", "/page", "/model", "/metrics"}


def test_clients_cannot_create_series(server: Server) -> None:
    def series() -> int:
        return len(Scrape(server.client).samples(f"classifier_{DURATION}"))

    def send(number: int) -> None:
        for method in ("BREW", "PURGE"):
            server.client.request(method, f"/tea/{number}")
        server.client.get(f"/page/{number}.js?{number}")

    send(0)
    wait_until(lambda: series() > 0, "the first series")  # and one of GET /metrics
    before = series()
    for number in range(1, 10):
        send(number)
    assert series() == before


def test_format_of_the_file_is_counted(server: Server, sample: bytes) -> None:
    before = Scrape(server.client)
    png = encode_fast(Image.new("RGB", (8, 8)), "PNG")
    for image in (sample, png, png):
        server.client.post("/", files={"file": image})
    server.client.post("/", files={"file": b"no image"})  # not classified
    after = Scrape(server.client)

    def increase(name: str) -> float:
        return after.value("images_total", format=name) - before.value("images_total", format=name)

    assert [increase(name) for name in ("jpeg", "png", "webp")] == [1, 2, 0]


@pytest.mark.parametrize("kind", FORMATS)
def test_each_accepted_format_has_its_name(kind: str) -> None:
    image = encode_fast(Image.new("RGB", (8, 8)), kind)
    assert read_photo(image, 8).format == kind.lower()


def test_jpeg_of_several_pictures_is_a_jpeg() -> None:
    """Phones add a depth map, or the photo at another exposure (CIPA DC-007)."""
    image = Image.new("RGB", (8, 8))
    several = encode_fast(image, "MPO", save_all=True, append_images=[image])
    assert read_photo(several, 8).format == "jpeg"


def test_gauges_show_how_full_queue_and_memory_are(tmp_path: Path, sample: bytes) -> None:
    """Given a blocked thread: of three requests, two are in the queue, with their bodies."""
    limits = {"THREADS": "1", "QUEUE": "5", "MEMORY_BYTES": str(160 * MIB)}
    with (
        serving_gated(tmp_path / "log", **limits) as server,
        Clients(server.url) as clients,
    ):
        idle = [Scrape(server.client).value(name) for name in GAUGES]
        for _ in range(3):
            clients.post(sample)
        server.gate.next()
        wait_until(lambda: Scrape(server.client).value("queue_length") == 2, "two queued images")
        full = Scrape(server.client)
        server.gate.open()
        wait_until(lambda: Scrape(server.client).in_flight == 0, "all responses")
        after = Scrape(server.client)
    assert idle == [0, 5, 0, 160 * MIB]
    assert 3 * len(sample) <= full.value("memory_used_bytes") < 160 * MIB
    assert after.value("queue_length") == after.value("memory_used_bytes") == 0


def test_gauges_of_workers_are_summed(tmp_path: Path, sample: bytes) -> None:
    """Each worker has one thread, which is blocked; either of them answers /metrics."""
    limits = {"THREADS": "2", "QUEUE": "20", "MEMORY_BYTES": str(320 * MIB)}
    options = ("--workers", "2")
    with (
        serving_gated(tmp_path / "log", *options, **shared(tmp_path), **limits) as server,
        Clients(server.url) as clients,
    ):
        wait_until(lambda: Scrape(server.client).value("queue_limit") == 20, "two workers")
        for _ in range(8):
            clients.post(sample)

        def queued() -> float:
            return Scrape(server.client).value("queue_length")

        # One or both threads hold an image; the others are in the queues.
        wait_until(lambda: queued() in (6, 7), "the sum of both queues")
        # A worker writes its values one after another.
        used = 6 * len(sample)
        wait_until(lambda: Scrape(server.client).value("memory_used_bytes") >= used, "their memory")
        full = Scrape(server.client)
        server.gate.open()
        wait_until(lambda: queued() == 0, "empty queues")
    assert full.value("memory_limit_bytes") == 320 * MIB
    assert full.value("memory_used_bytes") >= used


def shared(tmp_path: Path) -> dict[str, str]:
    """The variable with an empty directory for the workers' metrics."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    return {"PROMETHEUS_MULTIPROC_DIR": str(folder)}


def idle_scrape(client: httpx.Client) -> Scrape:
    """A reading while no other request is in flight. A worker may count the end of a request after
    the client has its response, the previous reading for example."""
    readings: list[Scrape] = []

    def is_idle() -> bool:
        readings.append(Scrape(client))
        return readings[-1].in_flight == 0

    wait_until(is_idle, "an idle service")
    return readings[-1]


def assert_old_names_agree(client: httpx.Client) -> None:
    text = client.get("/metrics").text
    for new, old in OLD_NAMES.items():
        assert f"# HELP {old} Deprecated: use {new}. Removed in 1.2" in text
    scrape = idle_scrape(client)
    for suffix in ("count", "sum"):
        total = sum(each.value for each in scrape.samples(f"classifier_request_seconds_{suffix}"))
        assert total == pytest.approx(scrape.total(f"request_duration_seconds_{suffix}"))
    for le in ("0.05", "+Inf"):
        for new, old in (("infer_duration", "infer"), ("request_duration", "request")):
            assert scrape.value(f"{old}_seconds_bucket", le=le) == scrape.total(
                f"{new}_seconds_bucket", le=le
            )
    assert scrape.value("in_flight") == scrape.value("requests_in_flight") == 1


def test_names_of_1_0_have_the_same_values(server: Server, sample: bytes) -> None:
    server.client.post("/", files={"file": sample})
    assert_old_names_agree(server.client)


def test_names_of_1_0_have_the_same_values_with_workers(tmp_path: Path, sample: bytes) -> None:
    with serving_by_command(tmp_path / "log", "--workers", "2") as server:
        for _ in range(4):
            server.client.post("/", files={"file": sample})
        assert_old_names_agree(server.client)


def test_readiness_of_a_service_that_drains_is_no_rejected_request(tmp_path: Path) -> None:
    """An alert on rejected requests must not be set off by each new release."""
    labels = {"method": "GET", "route": "/readyz", "status": "5xx"}
    with serving_by_command(tmp_path / "log", DRAIN_SECONDS=str(HANG_SECONDS)) as server:
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.client.get("/readyz").status_code == 503, "an unready service")
        wait_until(lambda: Scrape(server.client).value(DURATION, **labels) > 0, "its count")
        rejected = Scrape(server.client).value("rejected_total")
        server.process.kill()
    assert rejected == 0
