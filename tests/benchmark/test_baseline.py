"""Measurements of the service and its floor, in real processes.

The figures only have to be there: `python -m local.benchmark` compares them with targets.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.benchmark import images as pictures
from local.benchmark.baseline import Floor, running_floor
from local.benchmark.coldstart import FLOOR, HANDLER, PARTS, measure_starts
from local.benchmark.rounds import cpu_ms_one_by_one
from local.benchmark.servers.server import SERVICE, Running, running
from local.loadtest.payload import Body, multipart


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    paths = []
    for number, content in enumerate(pictures.typical_jpegs()):
        paths.append(folder / f"{number}.jpg")
        paths[-1].write_bytes(content)
    return paths


@pytest.fixture(scope="module")
def bodies(images: list[Path]) -> list[Body]:
    return [multipart(path.name, path.read_bytes()) for path in images]


@pytest.fixture(scope="module")
def service(bodies: list[Body]) -> Iterator[Running]:
    with running(SERVICE) as server:
        server.wait_for_answer(bodies[0])
        yield server


@pytest.fixture(scope="module")
def floor(images: list[Path]) -> Iterator[Floor]:
    with running_floor(images, processes=2) as loops:
        yield loops


def test_answers_are_the_floor_s(service: Running, floor: Floor, bodies: list[Body]) -> None:
    assert [service.best(body) for body in bodies] == floor.best


def test_cpu_of_the_service_and_of_its_floor_is_measured(
    service: Running, floor: Floor, bodies: list[Body], images: list[Path]
) -> None:
    before = service.tree.cpu_seconds()
    # when: the least that is measured, each image once
    spent = cpu_ms_one_by_one(service, bodies, seconds=1e-3)
    bare = floor.measure(images, seconds=1e-3, processes=2)
    # then: no more than the server has taken, which answered each image twice
    total = 1000 * (service.tree.cpu_seconds() - before)
    assert 0 < spent * len(bodies) <= total
    assert bare.cpu_ms > 0
    assert bare.images_s > 0
    assert 0 < bare.p50_ms <= bare.p99_ms


def test_a_start_is_divided_into_its_parts(bodies: list[Body]) -> None:
    starts = measure_starts(
        [FLOOR, HANDLER], bodies[0], times=1, model=None, progress=lambda _: None
    )
    for kind in (FLOOR, HANDLER):
        assert starts[kind]["ms"] > 0
        assert starts[kind]["cpu_ms"] > 0
    parts = starts[HANDLER]["parts_ms"]
    assert list(parts) == list(PARTS)
    assert all(value > 0 for value in parts.values())
    assert sum(parts.values()) <= starts[HANDLER]["ms"]
