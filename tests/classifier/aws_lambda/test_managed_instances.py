"""Processes of Lambda Managed Instances: each has its share of the environment."""

import json
import os
import subprocess
import sys

import pytest

from classifier import settings as settings_module
from classifier.memory import SUPERVISOR_BYTES
from classifier.server.workers import service_processes
from classifier.settings import Settings, SettingsError
from tests.support.paths import ROOT

FUNCTION = {"AWS_LAMBDA_FUNCTION_NAME": "classifier", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "4096"}

START = """
import json, os, main
print(json.dumps({
    "threads": main.settings.threads,
    "intra_op_threads": main.settings.intra_op_threads,
    "memory": main.memory.limit,
    "running": len(os.listdir("/proc/self/task")),
}))
"""


def share(**environment: str) -> Settings:
    """The settings of a process."""
    whole = Settings.from_environment({**FUNCTION, **environment})
    return whole.share(service_processes(whole))


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START],
        cwd=ROOT / "function",
        env={**os.environ, **FUNCTION, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("concurrency", "threads"), [("1", 4), ("2", 2), ("3", 1), ("4", 1), ("64", 1)]
)
def test_processes_divide_the_cores(
    concurrency: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4096 MB have two cores by the rule of other functions; this environment has four."""
    monkeypatch.setattr(settings_module, "usable_cores", lambda: 4)
    process = share(AWS_LAMBDA_MAX_CONCURRENCY=concurrency)
    assert (process.threads, process.intra_op_threads) == (1, threads)
    assert process.web_concurrency == int(concurrency)


def test_set_number_of_threads_counts() -> None:
    assert share(AWS_LAMBDA_MAX_CONCURRENCY="8", INTRA_OP_THREADS="3").intra_op_threads == 3


@pytest.mark.parametrize("concurrency", ["0", "-1", "many", "1.5"])
def test_invalid_concurrency_is_refused(concurrency: str) -> None:
    message = "AWS_LAMBDA_MAX_CONCURRENCY must be a whole number of processes, 1 or more; it is"
    with pytest.raises(SettingsError, match=message):
        share(AWS_LAMBDA_MAX_CONCURRENCY=concurrency)


def test_fewer_threads_than_processes_name_the_variable() -> None:
    with pytest.raises(SettingsError, match=r"^THREADS must be AWS_LAMBDA_MAX_CONCURRENCY, 4, or"):
        share(AWS_LAMBDA_MAX_CONCURRENCY="4", THREADS="2")


def test_other_functions_have_one_process() -> None:
    for concurrency in ({}, {"AWS_LAMBDA_MAX_CONCURRENCY": ""}):
        process = share(**concurrency)
        assert (process.web_concurrency, process.threads, process.intra_op_threads) == (1, 1, 2)


def test_process_starts_with_its_share_of_the_memory() -> None:
    alone, one_of_eight = (
        json.loads(start(**environment).stdout)
        for environment in ({}, {"AWS_LAMBDA_MAX_CONCURRENCY": "8"})
    )
    assert (one_of_eight["threads"], one_of_eight["intra_op_threads"]) == (1, 1)
    assert one_of_eight["running"] == 1
    process = 4096 * 2**20 - alone["memory"]  # what one takes for itself
    expected = (4096 * 2**20 - SUPERVISOR_BYTES) // 8 - process
    assert one_of_eight["memory"] == pytest.approx(expected, abs=16 * 2**20)


def test_too_many_processes_for_the_memory_refuse_to_start() -> None:
    refused = start(AWS_LAMBDA_MAX_CONCURRENCY="32")
    assert refused.returncode == 2
    assert "in each of 32 processes (AWS_LAMBDA_MAX_CONCURRENCY)" in refused.stderr
    assert "reduce AWS_LAMBDA_MAX_CONCURRENCY" in refused.stderr


@pytest.mark.parametrize(
    ("kind", "warm_up"),
    [("on-demand", False), ("provisioned-concurrency", True), ("lambda-managed-instances", True)],
)
def test_model_runs_at_the_start_unless_a_request_waits(kind: str, warm_up: bool) -> None:
    assert share(AWS_LAMBDA_INITIALIZATION_TYPE=kind).warm_up is warm_up
    assert Settings.from_environment({}).warm_up
