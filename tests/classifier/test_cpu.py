"""CPU cores available to the process: affinity, and the quotas of cgroup versions 1 and 2."""

import os
from pathlib import Path

import pytest

from classifier.cpu import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def cores(folder: Path, membership: str, **limits: str) -> int:
    """`limits` maps paths, with double underscores for slashes, to the content of the files."""
    (folder / "membership").write_text(membership)
    for name, content in limits.items():
        path = (
            folder
            / "groups"
            / name.replace("__", "/").replace("cpu_max", "cpu.max").replace("cfs", "cpu.cfs")
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return usable_cores(folder / "membership", folder / "groups")


def test_affinity_counts_without_cgroups(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none", tmp_path / "none") == 8


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1),
     ("1600000 100000", 8), ("", 8), ("nonsense", 8)],
)  # fmt: skip
def test_cgroup_quota_limits_the_cores(tmp_path: Path, limit: str, expected: int) -> None:
    assert cores(tmp_path, "0::/\n", cpu_max=f"{limit}\n") == expected


def test_smallest_quota_of_the_cgroup_and_its_parents_counts(tmp_path: Path) -> None:
    found = cores(
        tmp_path,
        "0::/kube/pod/container\n",
        kube__cpu_max="600000 100000",
        kube__pod__cpu_max="300000 100000",
        kube__pod__container__cpu_max="max 100000",
    )
    assert found == 3


def test_cgroup_version_1_quota_limits_the_cores(tmp_path: Path) -> None:
    membership = "5:cpuset:/x\n4:cpu,cpuacct:/docker/1234\n0::/\n"
    where = "cpu,cpuacct__"
    limits = {f"{where}cfs_quota_us": "250000\n", f"{where}cfs_period_us": "100000\n"}
    assert cores(tmp_path, membership, **limits) == 3
    limits[f"{where}cfs_quota_us"] = "-1\n"
    assert cores(tmp_path, membership, **limits) == 8
