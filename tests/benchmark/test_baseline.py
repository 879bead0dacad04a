"""Measurements of the service and its baseline in real processes.

Only checks that figures exist: `python -m local.benchmark` compares them with targets.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.benchmark.baseline import Baseline, running_baseline
from local.benchmark.coldstart import BASELINE, HANDLER, PARTS, measure_starts
from local.benchmark.images import typical_jpegs
from local.benchmark.rounds import cpu_ms_one_by_one
from local.benchmark.servers.server import SERVICE, Running, running
from local.loadtest.payload import Payload, multipart


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    paths = []
    for number, content in enumerate(typical_jpegs()):
        paths.append(folder / f"{number}.jpg")
        paths[-1].write_bytes(content)
    return paths


@pytest.fixture(scope="module")
def payloads(images: list[Path]) -> list[Payload]:
    return [multipart(path.name, path.read_bytes()) for path in images]


@pytest.fixture(scope="module")
def service(payloads: list[Payload]) -> Iterator[Running]:
    with running(SERVICE) as server:
        server.wait_for_response(payloads[0])
        yield server


@pytest.fixture(scope="module")
def baseline(images: list[Path]) -> Iterator[Baseline]:
    with running_baseline(images, processes=2) as loops:
        yield loops


def test_service_and_baseline_agree_on_the_top_class(
    service: Running, baseline: Baseline, payloads: list[Payload]
) -> None:
    assert [service.best(payload) for payload in payloads] == baseline.best


def test_cpu_of_service_and_baseline_is_measured(
    service: Running, baseline: Baseline, payloads: list[Payload], images: list[Path]
) -> None:
    before = service.tree.cpu_seconds()
    # when: the minimum, each image once
    spent = cpu_ms_one_by_one(service, payloads, seconds=1e-3)
    bare = baseline.measure(images, seconds=1e-3, processes=2)
    # then: at most the server's CPU time for each image twice
    total = 1000 * (service.tree.cpu_seconds() - before)
    assert 0 < spent * len(payloads) <= total
    assert bare.cpu_ms > 0
    assert bare.images_s > 0
    assert 0 < bare.p50_ms <= bare.p99_ms


def test_cold_start_has_parts(payloads: list[Payload]) -> None:
    starts = measure_starts(
        [BASELINE, HANDLER], payloads[0], times=1, model=None, progress=lambda _: None
    )
    for kind in (BASELINE, HANDLER):
        assert starts[kind]["ms"] > 0
        assert starts[kind]["cpu_ms"] > 0
    parts = starts[HANDLER]["parts_ms"]
    assert list(parts) == list(PARTS)
    assert all(value > 0 for value in parts.values())
    assert sum(parts.values()) <= starts[HANDLER]["ms"]
