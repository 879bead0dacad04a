"""The comparison of processors: what counts as identical, and what is needed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from local.common.cli import UsageError
from tests.measure.every_cpu import compared, main
from tests.models.every_cpu import Outputs


def outputs(logits: NDArray[np.float32], add: NDArray[np.uint8]) -> dict[str, Outputs]:
    return {"net, photos": {"logits": logits}, "net, inputs": {"add": add}}


def test_photo_counts_only_if_all_logits_are_equal() -> None:
    here = np.arange(12, dtype=np.float32).reshape(4, 1, 3)
    there = here.copy()
    there[2, 0, 1] = np.nextafter(there[2, 0, 1], np.float32(9))
    probed = np.zeros((1, 8), np.uint8)
    other = np.array([[0, 0, 1, 0, 0, 2, 0, 0]], np.uint8)
    same = compared("net", outputs(here, probed), outputs(here.copy(), probed))
    different = compared("net", outputs(here, probed), outputs(there, other))
    assert same == {"identical": 4, "different_inputs": 0}
    assert different == {"identical": 3, "different_inputs": 2}


def test_missing_emulator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARM64_PYTHON", raising=False)
    with pytest.raises(UsageError, match=r"is missing: "):
        main([])
