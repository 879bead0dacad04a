"""Fits the weights of a quantized network, layer by layer.

A layer's target is the float network's output; its inputs are the *quantized* outputs of earlier
layers, so each layer also compensates their errors: first by least squares with a penalty on the
distance from the float weights, then by learned rounding (`rounding`). If a skip connection is
added to the output, its error is part of the target.
"""

from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from tqdm import tqdm

from local.models.graph.onnx_graph import GraphIndex, copy_of
from local.models.graph.sessions import batches
from local.models.quantization.moments import POSITIONS, Moments, kernel_inputs
from local.models.quantization.qdq_layers import Layer, find_layers, skip_connection
from local.models.quantization.rounding import round_weights
from local.models.quantization.saturation import min_scales

Floats = NDArray[np.float64]

_DAMPING: Final = 0.03
"""Added to the diagonal of H, as a fraction of its mean; Frantar et al. 2022, section 3.3, use 0.01
with far more data."""

_CORRECTION_PENALTY: Final = 5.0
"""The same for the correction of earlier errors, times the weights of a row per photo: with fewer
photos per weight, the correction is smaller. Chosen on EfficientNet-Lite0, fitted to half of the
calibration photos and validated on the other half: relative squared error of the logits 0.0028 at
0.2, 0.0025 at 1, 0.0024 at 5."""

_LARGEST_BIAS: Final = 2.0**30
"""In steps of the int32 accumulator; the other half of its range is for the products."""


def reconstruct(
    quantized: onnx.ModelProto,
    network: onnx.ModelProto,
    inputs: NDArray[np.float32],
) -> onnx.ModelProto:
    """The quantized network with refitted weights, weight scales and biases.

    quantized: the QDQ graph of `network`, node names unchanged. inputs: the photos for calibration,
    as the network takes them, [N, ...].
    """
    model = copy_of(quantized)
    fit = _LayerFitter(model, network, inputs)
    layers = list(find_layers(model.graph))
    for layer in tqdm(layers, "Fitting layers", unit="layer", disable=None):
        fit.fit(layer)
    return model


class _LayerFitter:
    def __init__(
        self, model: onnx.ModelProto, network: onnx.ModelProto, inputs: NDArray[np.float32]
    ) -> None:
        self._model, self._index = model, GraphIndex(model.graph)
        self._network, self._floats = network, GraphIndex(network.graph)
        self._float_nodes = {node.name: node for node in network.graph.node}
        self._inputs = inputs

    def fit(self, layer: Layer) -> None:
        """Choose the layer's integers, scales and biases, and write them into the model."""
        node = self._float_nodes[layer.node.name]
        weight = self._floats.constant(node.input[1]).astype(np.float64)
        rows = layer.rows(weight)
        groups, outputs, size = layer.groups, *rows.shape
        bias = self._float_bias(node, outputs) if layer.bias else None
        rows = rows.reshape(groups, outputs // groups, size)
        moments = self._moments(layer, node, weight.shape, Moments(groups, rows.shape[1], size))
        hessian, targets = _objective(rows, moments, len(self._inputs), bias is not None)

        safe = layer.needs_safe_pairs(weight.shape)
        scales = min_scales(targets.reshape(outputs, size), safe)
        if bias is not None:  # a row of tiny weights must leave room for its bias
            scales = np.maximum(scales, np.abs(bias) / (layer.input.scale * _LARGEST_BIAS))
        steps = scales.astype(np.float32)
        by_group = steps.astype(np.float64).reshape(groups, -1)
        integers = round_weights(targets, by_group, hessian, safe)
        self._write_weight(layer, integers.reshape(outputs, size), steps, weight.shape)
        if bias is not None:
            means_x, means_t = moments.means
            output = ((integers * by_group[..., None]) @ means_x[..., None])[..., 0]
            self._write_bias(layer, (means_t - output).reshape(outputs), steps)

    def _float_bias(self, node: onnx.NodeProto, outputs: int) -> Floats:
        return np.broadcast_to(self._floats.constant(node.input[2]), outputs).astype(np.float64)

    def _moments(
        self, layer: Layer, node: onnx.NodeProto, shape: tuple[int, ...], moments: Moments
    ) -> Moments:
        random = np.random.default_rng(0)
        target = node.output[0]
        wanted = {layer.input.name: TensorProto.UINT8}
        skip = skip_connection(self._index, layer)
        if skip:
            target = self._float_nodes[skip[0]].output[0]
            wanted[skip[1].name] = TensorProto.UINT8
        results = batches(self._model, wanted, self._inputs)
        goals = batches(self._network, {target: TensorProto.FLOAT}, self._inputs)
        for (integers, *added), (wanted_sum,) in zip(results, goals, strict=True):
            goal = wanted_sum - skip[1].floats(added[0]) if skip else wanted_sum
            channels = 1 if layer.node.op_type == "Conv" else goal.ndim - 1
            flat = np.moveaxis(goal, channels, -1).reshape(len(goal), -1, goal.shape[channels])
            positions = _some_positions(random, flat)
            x = kernel_inputs(layer.node, layer.input.floats(integers), shape[2:], positions)
            t = flat[np.arange(len(flat))[:, None], positions]
            by_group = t.reshape(-1, layer.groups, t.shape[-1] // layer.groups)
            moments.add(x, by_group.transpose(1, 2, 0))
        return moments

    def _write_weight(
        self, layer: Layer, rows: Floats, scales: NDArray[np.float32], shape: tuple[int, ...]
    ) -> None:
        integers, steps = layer.weight
        weight = layer.weight_from(rows.astype(np.int8), shape)
        self._index.set_constant(integers, np.ascontiguousarray(weight))
        self._index.set_constant(steps, scales)

    def _write_bias(self, layer: Layer, bias: Floats, scales: NDArray[np.float32]) -> None:
        assert layer.bias
        integers, steps = layer.bias
        accumulator = layer.input.scale * scales
        largest = np.iinfo(np.int32).max
        whole = np.clip(np.rint(bias / accumulator), -largest, largest)
        self._index.set_constant(integers, whole.astype(np.int32))
        self._index.set_constant(steps, accumulator)


def _objective(
    rows: Floats, moments: Moments, photos: int, has_bias: bool
) -> tuple[Floats, Floats]:
    """H, and the weights [G, R, K] that best approximate the targets on the actual inputs.

    A bias absorbs any constant error, so with a bias only deviations from the mean count.
    """
    xx, tx = moments.second(central=has_bias)
    size = rows.shape[-1]
    mean_square = np.maximum(np.trace(xx, axis1=1, axis2=2) / size, np.finfo(np.float32).tiny)
    ridge = mean_square[:, None, None] * np.eye(size)
    penalty = _CORRECTION_PENALTY * size / photos
    correction = np.linalg.solve(xx + penalty * ridge, (tx - rows @ xx).swapaxes(1, 2))
    return xx + _DAMPING * ridge, rows + correction.swapaxes(1, 2)


def _some_positions(random: np.random.Generator, outputs: NDArray[np.float32]) -> NDArray[np.intp]:
    """[N, P] distinct positions of outputs [N, positions, channels]"""
    count, positions, _ = outputs.shape
    keys = random.random((count, positions))
    return np.argsort(keys, axis=1)[:, :POSITIONS]
