"""Memory available to the process: cgroup versions 1 and 2, Lambda, the machine."""

import os
from pathlib import Path

import pytest

from classifier import memory
from classifier.memory import (
    SERVICE_BYTES,
    SUPERVISOR_BYTES,
    THREAD_BYTES,
    available_memory,
    usable_memory,
)

GIB = 2**30
MIB = 2**20


@pytest.fixture(autouse=True)
def machine_of_8_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 8 * GIB // 4096}
    monkeypatch.setattr(os, "sysconf", figures.__getitem__)


def usable(folder: Path, membership: str, **limits: str) -> int:
    """`limits` maps groups, with double underscores for slashes, to the content of the file with
    the limit."""
    (folder / "membership").write_text(membership)
    version_1 = "memory:" in membership
    name = "memory.limit_in_bytes" if version_1 else "memory.max"
    for group, content in limits.items():
        path = folder / "groups" / ("memory" if version_1 else "") / group.replace("__", "/")
        path.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    return usable_memory(folder / "membership", folder / "groups")


def test_half_of_the_machine_counts_without_cgroups(tmp_path: Path) -> None:
    assert usable_memory(tmp_path / "none", tmp_path / "none") == 4 * GIB


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(str(512 * MIB), 512 * MIB), (str(6 * GIB), 6 * GIB), ("max", 4 * GIB), ("", 4 * GIB),
     (str(64 * GIB), 4 * GIB), ("nonsense", 4 * GIB)],
)  # fmt: skip
def test_cgroup_limits_the_memory(tmp_path: Path, limit: str, expected: int) -> None:
    assert usable(tmp_path, "0::/box\n", box=f"{limit}\n") == expected


def test_smallest_limit_of_the_cgroup_and_its_parents_counts(tmp_path: Path) -> None:
    found = usable(
        tmp_path, "0::/kube/pod/box\n", kube="max", kube__pod=str(GIB), kube__pod__box=str(2 * GIB)
    )
    assert found == GIB


def test_limit_in_a_container_is_at_the_root(tmp_path: Path) -> None:
    """The path in the membership is the host's, which the container does not see."""
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups/memory.max").write_text(f"{GIB}\n")
    (tmp_path / "membership").write_text("0::/docker/1234\n")
    assert usable_memory(tmp_path / "membership", tmp_path / "groups") == GIB


def test_cgroup_version_1_limits_the_memory(tmp_path: Path) -> None:
    membership = "9:memory:/docker/1234\n4:cpu,cpuacct:/docker/1234\n0::/\n"
    assert usable(tmp_path, membership, docker__1234=f"{GIB}\n") == GIB
    unlimited = "9223372036854771712\n"
    assert usable(tmp_path, membership, docker__1234=unlimited) == 4 * GIB


def test_needs_of_the_service_are_not_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "usable_memory", lambda: GIB)
    monkeypatch.setattr(memory, "resident_memory", lambda: 100 * MIB)
    own = 100 * MIB + SERVICE_BYTES
    assert available_memory(0, threads=1) == GIB - own - THREAD_BYTES
    assert available_memory(0, threads=4) == GIB - own - 4 * THREAD_BYTES
    assert available_memory(2048, threads=1) == 2 * GIB - own - THREAD_BYTES
    shared = GIB - SUPERVISOR_BYTES
    assert available_memory(0, threads=1, processes=4) == shared // 4 - own - THREAD_BYTES


def test_resident_memory_grows_with_the_process() -> None:
    before = memory.resident_memory()
    block = b"\1" * (64 * MIB)
    assert memory.resident_memory() - before > 60 * MIB
    del block
