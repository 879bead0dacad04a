"""Quantizes a float network to the INT8 model that the service serves.

uint8 activations, int8 weights with a scale per output channel, int32 biases; ranges from photos.
The logits stay floats. ONNX Runtime's quantizer chooses where to quantize and finds the ranges;
some are then narrowed (`ranges`), scales moved by a few units in the last place so that all CPUs
round alike (`same_rounding`), and the weights refitted (`reconstruct`) so that no CPU can saturate
(`saturation`). ONNX Runtime's own weights are rounded to nearest, and its `reduce_range` (7 bits)
costs more accuracy than these scales.
"""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from tqdm import tqdm

from local.models.graph.equalize import equalize
from local.models.graph.first_conv import apply_space_to_depth
from local.models.graph.onnx_graph import (
    RESHAPING_OPS,
    GraphIndex,
    copy_of,
    drop_unused_constants,
)
from local.models.graph.service_io import LOGITS, Activation, Normalization, add_service_io
from local.models.quantization.float_layers import protect_float_layers
from local.models.quantization.qdq_layers import unsupported_nodes
from local.models.quantization.ranges import affine_parameters, narrow_ranges
from local.models.quantization.reconstruct import reconstruct
from local.models.quantization.same_rounding import align_rounding

DESCRIPTION: Final = {
    "format": "QDQ",
    "activations": (
        "uint8, per tensor, asymmetric, range: minimum and maximum; for linear outputs and sums "
        "the part of it with the smallest squared error"
    ),
    "weights": "int8, per output channel, symmetric",
    "bias": "int32",
    "logits": "float32",
    "method": (
        "First convolution computed two columns at once; channel ranges of the linear bottlenecks "
        "equalized; static quantization by ONNX Runtime; "
        "weights fitted layer by layer to the float network with learned rounding (GPTQ and "
        "coordinate descent); no pair of neighbouring weights can saturate 16 bits, and sums round "
        "alike on x86-64 and arm64, so that the quantized layers compute the same on every CPU."
    ),
    "pair_safe": True,
}
"""The quantization, for the model card."""

QUANTIZED_OPS: Final = [
    "Conv", "Gemm", "MatMul", "Add", "Mul", "Clip", "Relu", "LeakyRelu", "Sigmoid", "HardSigmoid",
    "AveragePool", "GlobalAveragePool", "MaxPool", "Concat", "Split", "Pad", "Resize",
    "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze",
]  # fmt: skip

_OUTPUT_OPS: Final = (
    *RESHAPING_OPS,
    "Softmax", "LogSoftmax", "Exp", "Log", "Sub", "Div", "ReduceMax", "ReduceSum",
    "Sigmoid", "HardSigmoid", "Clip",
)  # fmt: skip
"""Operators that follow the last layer in networks that output probabilities."""


def quantize(
    network: onnx.ModelProto,
    pixels: NDArray[np.uint8],
    normalization: Normalization,
    activation: Activation = "softmax",
) -> onnx.ModelProto:
    """The INT8 model of a network that computes `logits` from normalized floats.

    pixels: the photos for calibration, uint8 [N, size, size, 3]. The model has the same input, and
    the output `probabilities`, float32 [N, classes].
    """
    prepared = PreparedNetwork.of(network, pixels, normalization)
    return protect_float_layers(add_service_io(prepared.quantized(), normalization, activation))


@dataclass(frozen=True)
class PreparedNetwork:
    """A float network in the form in which its layers are quantized, and its calibration.

    `network` maps `inputs`, float32 [N, ...], to `logits`.
    """

    network: onnx.ModelProto
    inputs: NDArray[np.float32]
    normalization: Normalization

    @classmethod
    def of(
        cls, network: onnx.ModelProto, pixels: NDArray[np.uint8], normalization: Normalization
    ) -> Self:
        """pixels: the photos for calibration, uint8 [N, size, size, 3]."""
        inputs = normalization.apply(pixels)
        equal = equalize(apply_space_to_depth(network), inputs)
        return cls(equal, inputs, normalization)

    def quantized(self, keep_float: Collection[str] = ()) -> onnx.ModelProto:
        """The QDQ graph of the network; the nodes named by `keep_float` are not quantized."""
        static = _statically_quantized(self.network, self.inputs, self.normalization, keep_float)
        _keep_logits_float(static.graph)
        narrowed = align_rounding(narrow_ranges(static, self.network, self.inputs))
        return reconstruct(protect_float_layers(narrowed), self.network, self.inputs)


def _statically_quantized(
    network: onnx.ModelProto,
    inputs: NDArray[np.float32],
    normalization: Normalization,
    keep_float: Collection[str],
) -> onnx.ModelProto:
    name = network.graph.input[0].name
    with TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "quantized.onnx"
        quantize_static(
            copy_of(network),  # the quantizer modifies its argument
            path,
            _CalibrationReader(name, inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED_OPS,
            nodes_to_exclude=[*unsupported_nodes(network.graph), *keep_float],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"TensorQuantOverrides": {name: [_input_override(normalization)]}},
        )
        return onnx.load(path)


def _input_override(normalization: Normalization) -> dict[str, Any]:
    """The input's range is known: the range of a pixel."""
    if normalization.quantized:
        scale, zero_point = normalization.quantized
    else:
        low, high = min(normalization.range[0], 0.0), max(normalization.range[1], 0.0)
        scale, zero_point = affine_parameters(low, high)
    return {
        "quant_type": QuantType.QUInt8,
        "scale": np.array(scale),
        "zero_point": np.array(zero_point),
    }


class _CalibrationReader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, inputs: NDArray[np.float32]) -> None:
        photos = tqdm(range(len(inputs)), "Finding ranges", unit="photo", disable=None)
        self._batches: Iterator[dict[str, NDArray[np.float32]]] = (
            {name: inputs[photo : photo + 1]} for photo in photos
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)


def _keep_logits_float(graph: onnx.GraphProto) -> None:
    """Remove each QuantizeLinear and DequantizeLinear between the last layer and the output.

    256 steps are too coarse for logits: their error would be that of the probabilities.
    """
    index, waiting = GraphIndex(graph), [LOGITS]
    while waiting:
        tensor = waiting.pop()
        node = index.producer.get(tensor)
        if node is None:
            continue
        if node.op_type in _OUTPUT_OPS:
            waiting.extend(node.input)
        elif node.op_type == "DequantizeLinear" and _join(graph, index, node):
            index = GraphIndex(graph)
            waiting.append(tensor)
    drop_unused_constants(graph)


def _join(graph: onnx.GraphProto, index: GraphIndex, dequantize: onnx.NodeProto) -> bool:
    """Remove `dequantize` and its QuantizeLinear if no other node needs them; whether it did."""
    quantize_node = index.producer.get(dequantize.input[0])
    source = quantize_node.input[0] if quantize_node is not None else ""
    producer_node = index.producer.get(source)
    if quantize_node is None or producer_node is None:
        return False
    if len(index.consumers[source]) > 1 or len(index.consumers[dequantize.input[0]]) > 1:
        return False
    producer_node.output[list(producer_node.output).index(source)] = dequantize.output[0]
    graph.node.remove(dequantize)
    graph.node.remove(quantize_node)
    return True


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantizer's advice to preprocess: these networks are preprocessed."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
