"""Reading a checkpoint never executes its content."""

import os
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from local.models.sources.pytorch_checkpoint import (
    MAGIC_NUMBER,
    PROTOCOL_VERSION,
    CheckpointError,
    read_checkpoint,
)

VALUES = np.arange(12, dtype=np.float32)


class Storage:
    """Pickled as a reference to data that follows the pickles."""

    def __init__(self, key: str, numel: int) -> None:
        self.key, self.numel = key, numel


class Tensor:
    def __init__(self, *description: Any) -> None:
        self.description = description

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.description


class Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Storage):
            kind = sys.modules["torch"].FloatStorage
            return "storage", kind, value.key, "cpu", value.numel, None
        return None


@pytest.fixture(autouse=True)
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules with the names that a checkpoint refers to."""
    package, utilities = ModuleType("torch"), ModuleType("torch._utils")
    storage = type("FloatStorage", (), {"__module__": "torch"})
    rebuild = lambda *_: None  # noqa: E731 - it is given another name
    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    package.FloatStorage, utilities._rebuild_tensor_v2 = storage, rebuild  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", package)
    monkeypatch.setitem(sys.modules, "torch._utils", utilities)


def checkpoint(path: Path, state: Any, *, numel: int = VALUES.size) -> Path:
    with path.open("wb") as stream:
        parts = MAGIC_NUMBER, PROTOCOL_VERSION, {"little_endian": True}, state, ["0"]
        for part in parts:
            Pickler(stream, 2).dump(part)
        stream.write(numel.to_bytes(8, "little") + VALUES.tobytes())
    return path


def state(**tensors: Tensor) -> OrderedDict[str, Tensor]:
    return OrderedDict(tensors)


def tensor(offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    return Tensor(Storage("0", VALUES.size), offset, shape, strides, False, OrderedDict())


def test_tensors_are_read(tmp_path: Path) -> None:
    # given a matrix and a transposed view of a part of the same storage
    path = checkpoint(
        tmp_path / "w.pth", state(a=tensor(0, (3, 4), (4, 1)), b=tensor(2, (2, 3), (1, 2)))
    )
    # when
    weights = read_checkpoint(path)
    # then
    assert (weights["a"] == VALUES.reshape(3, 4)).all()
    assert (weights["b"] == VALUES[2:8].reshape(3, 2).T).all()
    assert weights["a"].dtype == np.float32


class Malicious:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call, self.arguments


@pytest.mark.parametrize("call", [os.system, eval, exec, __import__, getattr])
def test_other_classes_are_refused(tmp_path: Path, call: Any) -> None:
    # given a checkpoint that would leave a file behind if it were simply unpickled
    trace = tmp_path / "trace"
    path = checkpoint(tmp_path / "w.pth", state(a=Malicious(call, f"touch {trace}")))  # type: ignore[arg-type]
    # when, then
    with pytest.raises(CheckpointError, match="which is not allowed"):
        read_checkpoint(path)
    assert not trace.exists()


def test_call_in_the_first_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(Malicious(os.system, f"touch {tmp_path / 'trace'}"), 2))
    with pytest.raises(CheckpointError, match=r"posix\.system, which is not allowed"):
        read_checkpoint(path)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("kept", [0, 1, 20, 100, -60, -1])
def test_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = checkpoint(tmp_path / "w.pth", state(a=tensor(0, (3, 4), (4, 1))))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="is not a readable PyTorch checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "beyond", [tensor(1, (3, 4), (4, 1)), tensor(0, (2,), (12,)), tensor(-1, (2,), (1,))]
)
def test_tensor_beyond_its_storage_is_refused(tmp_path: Path, beyond: Tensor) -> None:
    path = checkpoint(tmp_path / "w.pth", state(a=beyond))
    with pytest.raises(CheckpointError, match="is not a readable PyTorch checkpoint"):
        read_checkpoint(path)


def test_storage_of_wrong_size_is_refused(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "w.pth", state(a=tensor(0, (3, 4), (4, 1))), numel=2**40)
    with pytest.raises(CheckpointError, match="1099511627776 elements instead of 12"):
        read_checkpoint(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pth cannot be read"):
        read_checkpoint(tmp_path / "none.pth")
