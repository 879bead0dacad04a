"""Converts the float model to the form of tutorials: normalized floats instead of pixels
as input."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from local.benchmark.servers.server import MeasurementError


def write_float_input(pixels_model: Path, result: Path) -> None:
    """Remove the nodes of `pixels_model` (uint8 pixels [N, size, size, 3]) that turn pixels into
    normalized floats [N, 3, size, size], which become the input of `result`. Raises
    `MeasurementError`."""
    model = onnx.load(pixels_model)
    graph = model.graph
    first = next((node for node in graph.node if node.op_type == "Conv"), None)
    if first is None:
        raise MeasurementError(f"{pixels_model.name} has no convolution")
    source, made = first.input[0], {graph.input[0].name}
    for node in list(graph.node):  # in topological order
        if made.intersection(node.input) and source not in made:
            made.update(node.output)
            graph.node.remove(node)
    if source not in made:
        raise MeasurementError(
            f"{pixels_model.name}: its first convolution does not follow from its pixels"
        )
    size = graph.input[0].type.tensor_type.shape.dim[1].dim_value
    del graph.input[:], graph.value_info[:]
    shape = ["N", 3, size, size]
    graph.input.append(helper.make_tensor_value_info(source, TensorProto.FLOAT, shape))
    used = {name for node in graph.node for name in node.input}
    kept = [constant for constant in graph.initializer if constant.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, result)
