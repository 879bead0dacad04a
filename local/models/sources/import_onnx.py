"""Imports an ONNX image classifier in the form that `quantize` needs.

One input of normalized floats, one output `logits` [N, classes], constants folded, all nodes named,
separate constants for each layer, and a free batch size where the graph allows it. float16 becomes
float32, and a free height and width become those of the service.
"""

from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, version_converter

from local.common.cli import UsageError
from local.models.graph.onnx_graph import (
    RESHAPING_OPS,
    WEIGHTED_OPS,
    GraphIndex,
    attributes,
    copy_of,
    declare,
    drop_unused_constants,
    rename_tensors,
    sort_nodes,
)
from local.models.graph.service_io import (
    LOGITS,
    PIXELS,
    PROBABILITIES,
    Activation,
    Normalization,
)
from local.models.graph.sessions import folded, session
from local.models.sources.float32 import to_float32

GivenActivation = Literal["auto", "softmax", "sigmoid", "none"]

_LOWEST_OPSET: Final = 13
"""The first whose DequantizeLinear supports a scale per channel."""

_LOWEST_IR_VERSION: Final = 8
_LAST_NODES: Final[dict[str, Activation]] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}

_SUM_TOLERANCE: Final = 1e-4
"""Of the sum of probabilities: a thousand float32 roundings are below it."""


class OnnxImportError(UsageError):
    """The model is not usable; the message says why and what to do."""


class ImportedNetwork(NamedTuple):
    """`network` maps normalized floats to `logits`, and `activation` those to probabilities."""

    network: onnx.ModelProto
    activation: Activation


def import_onnx(
    path: Path, normalization: Normalization, activation: GivenActivation = "auto"
) -> ImportedNetwork:
    """The network in the ONNX file at `path`.

    activation: of its output, if it does not end in one; "none" if it outputs probabilities.
    "auto" is the last node's, else "none" for outputs whose sum is 1, else sigmoid for a single
    output and softmax for several. Raises `OnnxImportError`.
    """
    model = _load(path)
    to_float32(model)
    model = _at_least_lowest_opset(model)
    _check_input(model.graph, normalization)
    _fix_size(model.graph, normalization)
    model = _folded(model)
    _name_nodes(model.graph)
    chosen = _end_in_logits(model, normalization, activation)
    _separate_layers(model.graph)
    return ImportedNetwork(_with_free_batch(model, normalization), chosen)


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(path)
        sort_nodes(model.graph)  # ONNX Runtime's float16 converter appends its casts
        onnx.checker.check_model(model)
    except OSError as error:
        raise OnnxImportError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # classes of protobuf and of the checker
        reason = " ".join(str(error).split())[:200]
        raise OnnxImportError(f"{path} is not a valid ONNX model: {reason}") from error
    constants = {constant.name for constant in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    outputs = list(model.graph.output)
    for what, values in (("input", inputs), ("output", outputs)):
        if len(values) != 1:
            names = ", ".join(value.name for value in values)
            raise OnnxImportError(
                f"The model has {len(values)} {what}s ({names}); expected 1. "
                f"Export it with only that {what}."
            )
    declare(model.graph, inputs=inputs, outputs=outputs)
    return model


def _at_least_lowest_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    opset = next(opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx"))
    model.ir_version = max(model.ir_version, _LOWEST_IR_VERSION)
    if opset >= _LOWEST_OPSET:
        return model
    try:
        return version_converter.convert_version(model, _LOWEST_OPSET)
    except Exception as error:  # classes of the converter
        reason = " ".join(str(error).split())[:200]
        raise OnnxImportError(
            f"The model has opset {opset} and cannot be converted to {_LOWEST_OPSET} ({reason}). "
            f"Export it with opset {_LOWEST_OPSET} or later."
        ) from error


def _check_input(graph: onnx.GraphProto, normalization: Normalization) -> None:
    tensor = graph.input[0].type.tensor_type
    found = [dim.dim_value or None for dim in tensor.shape.dim]
    wanted = _input_shape(normalization)
    fits = len(found) == 4 and all(a in (None, b) for a, b in zip(found[1:], wanted, strict=True))
    if tensor.elem_type != TensorProto.FLOAT or not fits or found[0] not in (None, 1):
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        shape = ", ".join(str(n or "any") for n in found)
        raise OnnxImportError(
            f"The model's input is {kind} [{shape}], not float [N, {', '.join(map(str, wanted))}]. "
            "Set --size and --layout, or export it with a float32 input and batch size 1."
        )


def _input_shape(normalization: Normalization) -> list[int]:
    """Of one image."""
    size = normalization.size
    return [3, size, size] if normalization.layout == "nchw" else [size, size, 3]


def _fix_size(graph: onnx.GraphProto, normalization: Normalization) -> None:
    """Fix free channels, height and width; shapes that follow from them can then be folded."""
    dimensions = graph.input[0].type.tensor_type.shape.dim
    for dimension, length in zip(dimensions[1:], _input_shape(normalization), strict=True):
        dimension.dim_value = length


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return folded(model)
    except Exception as error:  # classes of ONNX Runtime
        raise _cannot_run(error) from error


def _cannot_run(error: Exception) -> OnnxImportError:
    reason = " ".join(str(error).split())[:200]
    return OnnxImportError(
        f"ONNX Runtime cannot run the model: {reason}. If it names dimensions, check --size."
    )


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Name nodes by number, and rename tensors whose names `service_io` uses."""
    for number, node in enumerate(graph.node):
        node.name = f"{number}.{node.op_type}"
    reserved = (LOGITS, PIXELS, PROBABILITIES)
    rename_tensors(graph, {name: f"network.{name}" for name in reserved})


def _end_in_logits(
    model: onnx.ModelProto, normalization: Normalization, given: GivenActivation
) -> Activation:
    """Remove a final activation and make the output `logits` [N, classes]; the activation."""
    graph = model.graph
    last = _before_reshaping(GraphIndex(graph), graph.output[0].name)
    found = _LAST_NODES.get(last.op_type) if last is not None else None
    graph.output[0].type.tensor_type.ClearField("shape")
    one = _outputs(model, normalization, 1)
    activation = _activation(given, found, one)
    if last is not None and found is not None:
        _remove(graph, last)
    _make_logits(graph, one)
    return activation


def _activation(
    given: GivenActivation, found: Activation | None, one: NDArray[np.float32]
) -> Activation:
    """The activation of a network; found: its last node's, one: its output for one photo."""
    binary = one.size == 1
    if found and given not in ("auto", "none", found):
        raise OnnxImportError(
            f"The model ends in a {found} already. Remove --activation {given}, or export it "
            f"without the {found}."
        )
    if binary and "softmax" in (given, found):
        raise OnnxImportError(
            "The model has one output, whose softmax is always 1. Export it without a softmax, and "
            "use --activation sigmoid."
        )
    if found:
        return found
    if given != "auto":
        return given
    if binary:
        return "sigmoid"
    sums_to_one = abs(float(one.sum()) - 1) < _SUM_TOLERANCE and float(one.min()) >= 0
    return "none" if sums_to_one else "softmax"


def _remove(graph: onnx.GraphProto, last: onnx.NodeProto) -> None:
    """Remove a node that has one input and one output."""
    for node in GraphIndex(graph).consumers[last.output[0]]:
        node.input[0] = last.input[0]
    if graph.output[0].name == last.output[0]:
        graph.output[0].name = last.input[0]
    graph.node.remove(last)


def _make_logits(graph: onnx.GraphProto, one: NDArray[np.float32]) -> None:
    """Name the output `logits`, after reshaping it to [N, classes]; one: that of one photo.

    Raises `OnnxImportError` if that is no list of classes.
    """
    output = graph.output[0]
    if one.ndim == 2:
        rename_tensors(graph, {output.name: LOGITS})
        return
    if one.ndim > 2:  # [N, classes, 1, 1]
        if sum(length > 1 for length in one.shape) > 1:
            raise OnnxImportError(
                f"The model's output is {list(one.shape)}, not [N, classes], as of a network that "
                "detects or segments. Export a classifier."
            )
        node = helper.make_node("Flatten", [output.name], [LOGITS], name=LOGITS, axis=1)
    else:  # squeezed: [N] of one class, or [classes] of one photo
        shape = _add(graph, "logits_shape", np.array([-1, one.size], np.int64))
        node = helper.make_node("Reshape", [output.name, shape], [LOGITS], name=LOGITS)
    graph.node.append(node)
    output.name = LOGITS


def final_activation(graph: onnx.GraphProto) -> Activation | None:
    """The activation that a classifier ends in, before operators that only reshape; None: another
    operator."""
    last = _before_reshaping(GraphIndex(graph), graph.output[0].name)
    return _LAST_NODES.get(last.op_type) if last is not None else None


def _before_reshaping(index: GraphIndex, tensor: str) -> onnx.NodeProto | None:
    node = index.producer.get(tensor)
    while node is not None and node.op_type in RESHAPING_OPS:
        node = index.producer.get(node.input[0])
    return node


def _separate_layers(graph: onnx.GraphProto) -> None:
    """Give each layer its own constants, a bias where possible, and each Gemm alpha = beta = 1."""
    index = GraphIndex(graph)
    for node in graph.node:
        if node.op_type not in WEIGHTED_OPS or not index.is_constant(node.input[1]):
            continue
        options = attributes(node)
        if node.op_type != "MatMul" and len(node.input) == 2:
            shape = index.constant(node.input[1]).shape
            outputs = shape[0 if node.op_type == "Conv" or options.get("transB") else 1]
            node.input.append(_add(graph, f"{node.name}.zero", np.zeros(outputs, np.float32)))
            index = GraphIndex(graph)
        for position, factor in ((1, options.get("alpha", 1)), (2, options.get("beta", 1))):
            name = node.input[position] if position < len(node.input) else ""
            if index.is_constant(name):
                values = index.constant(name) * np.float32(factor if node.op_type == "Gemm" else 1)
                node.input[position] = _add(graph, f"{node.name}.{position}", values)
        kept = [
            attribute for attribute in node.attribute if attribute.name not in ("alpha", "beta")
        ]
        del node.attribute[:]
        node.attribute.extend(kept)
    drop_unused_constants(graph)


def _add(graph: onnx.GraphProto, name: str, values: NDArray[Any]) -> str:
    graph.initializer.append(numpy_helper.from_array(values, name))
    return name


def _with_free_batch(model: onnx.ModelProto, normalization: Normalization) -> onnx.ModelProto:
    """The model for any batch size if its outputs stay the same, else for a batch of 1."""
    alone = _outputs(_declared(model, 1), normalization, 1)
    free = _declared(model, "N")
    index = GraphIndex(free.graph)
    for node in free.graph.node:
        if node.op_type == "Reshape" and index.is_constant(node.input[1]):
            shape = index.constant(node.input[1])
            if shape.size and shape[0] == 1 and not attributes(node).get("allowzero"):
                as_before = np.array([0, *shape[1:]], np.int64)  # 0: copy the input's dimension
                node.input[1] = _add(free.graph, f"{node.name}.shape", as_before)
    drop_unused_constants(free.graph)
    try:
        together = _outputs(free, normalization, 2)
    except OnnxImportError:
        together = np.empty((0, 0), np.float32)
    same = len(together) == 2 and np.allclose(alone, together[:1], rtol=1e-3, atol=1e-4)
    best, batch = (free, "N") if same else (model, 1)
    return _declared(best, batch, alone.shape[1])


def _declared(
    model: onnx.ModelProto, batch: int | str, classes: int | None = None
) -> onnx.ModelProto:
    """A copy with this batch size in the declared input and output, and no other shapes."""
    copy = copy_of(model)
    source = copy.graph.input[0]
    shape = [dim.dim_value for dim in source.type.tensor_type.shape.dim][1:]
    inputs = [helper.make_tensor_value_info(source.name, TensorProto.FLOAT, [batch, *shape])]
    outputs = [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, [batch, classes])]
    declare(copy.graph, inputs=inputs, outputs=outputs)
    return copy


def _outputs(
    model: onnx.ModelProto, normalization: Normalization, photos: int
) -> NDArray[np.float32]:
    """The model's output for deterministic noise. Raises `OnnxImportError`."""
    size = normalization.size
    noise = np.random.default_rng(0).integers(0, 256, (photos, size, size, 3), np.uint8)
    try:
        part = session(model)
        inputs = {part.get_inputs()[0].name: normalization.apply(noise)}
        outputs: NDArray[np.float32] = part.run(None, inputs)[0]
    except Exception as error:  # classes of ONNX Runtime
        raise _cannot_run(error) from error
    if outputs.dtype != np.float32:
        raise OnnxImportError(
            f"The model's output is {outputs.dtype}, not float32. Export it with logits or "
            "probabilities as its output, not with the index of a class."
        )
    if np.isnan(outputs).any():
        raise OnnxImportError(
            "The model's output is not a number (NaN). Check --mean and --std, and the weights."
        )
    return outputs
