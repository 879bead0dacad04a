"""Reads a PyTorch checkpoint as named arrays, without PyTorch and without trusting the file.

Reads the legacy format that `torch.save` wrote before PyTorch 1.6: three small pickles (magic
number, protocol version, system information), the pickled state dict, the pickled list of storage
keys, and then each storage as a 64-bit element count and its raw elements
(`torch/serialization.py`, `_legacy_save`). PyTorch would be a dependency for this one file.
"""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from local.common.cli import UsageError

MAGIC_NUMBER: Final = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION: Final = 1001

_STORAGE_DTYPES: Final = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


class CheckpointError(UsageError):
    """The file is not a readable checkpoint; the message says why."""


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    numel: int


@dataclass(frozen=True)
class _Tensor:
    """A view into a storage that is read later; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _StateDict(dict[str, _Tensor]):
    """Replaces OrderedDict; drops the attributes that a checkpoint attaches to it."""

    def __setstate__(self, state: object) -> None:
        pass


def _rebuild_tensor(
    storage: object, offset: object, shape: object, strides: object, *_: object
) -> _Tensor:
    extents = (shape, strides)
    if not (
        isinstance(storage, _Storage)
        and isinstance(offset, int)
        and all(isinstance(e, tuple) and all(isinstance(n, int) for n in e) for e in extents)
    ):
        raise pickle.UnpicklingError("invalid tensor description")
    return _Tensor(storage, offset, shape, strides)  # type: ignore[arg-type]


class _StateDictUnpickler(pickle.Unpickler):
    """Constructs only state dicts, tensor descriptions and plain values."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _StateDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return np.dtype(_STORAGE_DTYPES[name])
        raise pickle.UnpicklingError(f"it refers to {module}.{name}, which is not allowed")

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", np.dtype() as dtype, str(key), str(), int(numel), None):
                return _Storage(key, dtype, numel)
        raise pickle.UnpicklingError("invalid storage description")


def read_checkpoint(path: Path) -> dict[str, NDArray[np.float32]]:
    """The tensors of a legacy PyTorch state dict: name -> float32 array of the tensor's shape.

    Raises `CheckpointError` if the file is missing, damaged, of another format, or refers to
    anything but tensors.
    """
    try:
        stream = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return _read(stream)
    except CheckpointError as error:
        raise CheckpointError(f"{path} is not a readable PyTorch checkpoint: {error}") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise CheckpointError(f"{path} is not a readable PyTorch checkpoint: {error}") from error


def _read(stream: io.BytesIO) -> dict[str, NDArray[np.float32]]:
    def unpickle() -> Any:
        return _StateDictUnpickler(stream).load()

    if unpickle() != MAGIC_NUMBER or unpickle() != PROTOCOL_VERSION:
        raise CheckpointError("it is not in torch.save's legacy layout")
    if unpickle().get("little_endian") is not True:
        raise CheckpointError("it was written on a big-endian machine")
    state = unpickle()
    if not isinstance(state, _StateDict) or not all(
        isinstance(name, str) and isinstance(tensor, _Tensor) for name, tensor in state.items()
    ):
        raise CheckpointError("it has no state dict")
    storages = {tensor.storage.key: tensor.storage for tensor in state.values()}
    elements = {key: _read_storage(stream, storages[key]) for key in unpickle()}
    return {name: _view(tensor, elements[tensor.storage.key]) for name, tensor in state.items()}


def _read_storage(stream: io.BytesIO, storage: _Storage) -> NDArray[Any]:
    numel = int.from_bytes(stream.read(8), "little")
    if numel != storage.numel:
        raise CheckpointError(f"a storage has {numel} elements instead of {storage.numel}")
    raw = stream.read(numel * storage.dtype.itemsize)
    if len(raw) != numel * storage.dtype.itemsize:
        raise CheckpointError("it is truncated within a tensor")
    return np.frombuffer(raw, storage.dtype)


def _view(tensor: _Tensor, elements: NDArray[Any]) -> NDArray[np.float32]:
    shape, strides = tensor.shape, tensor.strides
    if len(shape) != len(strides) or min((tensor.offset, *shape, *strides)) < 0:
        raise CheckpointError("invalid tensor description")
    last = tensor.offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if 0 not in shape and last >= elements.size:
        raise CheckpointError("a tensor exceeds its storage")
    byte_strides = [s * elements.itemsize for s in strides]
    view = np.lib.stride_tricks.as_strided(elements[tensor.offset :], shape, byte_strides)
    return np.array(view, np.float32)
