"""Inputs of a layer's kernel, and their first and second moments."""

from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from local.models.graph.onnx_graph import attributes

Floats = NDArray[np.float64]

POSITIONS: Final = 64
"""Maximum output positions sampled per photo: neighbouring positions add little information."""


def kernel_inputs(
    node: onnx.NodeProto, inputs: NDArray[np.float32], kernel: tuple[int, ...], positions: Any
) -> NDArray[np.float32]:
    """The inputs under the kernel at some output positions: [G, N * P, K], K in kernel order.

    inputs: [N, C, H, W] for a Conv (or [N, C, W]), else [N, ..., K]. positions: [N, P], indices
    into the flat output positions.
    """
    count = np.arange(len(inputs))[:, None]
    if node.op_type != "Conv":
        flat = inputs.reshape(len(inputs), -1, inputs.shape[-1])
        rows: NDArray[np.float32] = flat[count, positions]
        return rows.reshape(1, -1, inputs.shape[-1])
    groups = int(attributes(node).get("group", 1))
    windows = _windows(node, inputs, kernel)
    rank = len(kernel)
    where = np.unravel_index(positions, windows.shape[2 : 2 + rank])
    patches = windows[(count, slice(None), *where)]  # [N, P, C, *kernel]
    patches = patches.reshape(*positions.shape, groups, -1, *kernel)
    return np.moveaxis(np.moveaxis(patches, 2, 0), 3, -1).reshape(groups, positions.size, -1)


def _windows(
    node: onnx.NodeProto, inputs: NDArray[np.float32], kernel: tuple[int, ...]
) -> NDArray[np.float32]:
    """Every window of a convolution: a view [N, C, *output, *kernel]."""
    rank = len(kernel)
    options = attributes(node)
    strides = options.get("strides", [1] * rank)
    dilations = options.get("dilations", [1] * rank)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = _pads(options, inputs.shape[2:], strides, spans)
    padded = np.pad(inputs, ((0, 0), (0, 0), *pads))
    axes = tuple(range(2, 2 + rank))
    windows = np.lib.stride_tricks.sliding_window_view(padded, spans, axes)
    steps = [slice(None, None, step) for step in (*strides, *dilations)]
    view: NDArray[np.float32] = windows[(slice(None), slice(None), *steps)]
    return view


def _pads(
    options: dict[str, Any], sizes: tuple[int, ...], strides: list[int], spans: list[int]
) -> list[tuple[int, int]]:
    automatic = options.get("auto_pad", b"NOTSET")
    if automatic in (b"SAME_UPPER", b"SAME_LOWER"):
        totals = [
            max((-(-size // stride) - 1) * stride + span - size, 0)
            for size, stride, span in zip(sizes, strides, spans, strict=True)
        ]
        halves = [(total // 2, total - total // 2) for total in totals]
        return halves if automatic == b"SAME_UPPER" else [half[::-1] for half in halves]
    pads = options.get("pads", [0] * 2 * len(spans))
    return list(zip(pads[: len(spans)], pads[len(spans) :], strict=True))


class Moments:
    """Running first and second moments of inputs x and targets t, not centred.

    G groups, R outputs per group, K inputs per group; see `rounding`.
    """

    def __init__(self, groups: int, rows: int, size: int) -> None:
        self._count = 0
        self._x = np.zeros((groups, size))
        self._t = np.zeros((groups, rows))
        self._xx = np.zeros((groups, size, size))
        self._tx = np.zeros((groups, rows, size))

    def add(self, inputs: NDArray[np.float32], targets: NDArray[np.float32]) -> None:
        """inputs [G, S, K], targets [G, R, S]"""
        self._count += inputs.shape[1]
        self._x += inputs.sum(1)
        self._t += targets.sum(2)
        self._xx += inputs.swapaxes(1, 2) @ inputs
        self._tx += targets @ inputs

    @property
    def means(self) -> tuple[Floats, Floats]:
        """of x, [G, K], and of t, [G, R]"""
        return self._x / self._count, self._t / self._count

    def second(self, *, central: bool) -> tuple[Floats, Floats]:
        """E[x x'], [G, K, K], and E[t x'], [G, R, K]; covariances if `central`."""
        xx, tx = self._xx / self._count, self._tx / self._count
        if central:
            x, t = self.means
            xx = xx - x[:, :, None] * x[:, None, :]
            tx = tx - t[:, :, None] * x[:, None, :]
        return xx, tx
