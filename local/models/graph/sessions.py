"""Runs a graph on many photos, up to any of its tensors."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from local.models.graph.onnx_graph import part_up_to

_BATCH: Final = 10
_SILENT: Final = 4
"""Log severity of ONNX Runtime: errors are also raised."""


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model after ONNX Runtime's basic optimizations: constants and batch norms folded."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options = ort.SessionOptions()
        options.log_severity_level = _SILENT
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        result = onnx.load(path)
    domains = {node.domain for node in result.graph.node}
    used = [opset for opset in result.opset_import if opset.domain in domains]
    del result.opset_import[:]
    result.opset_import.extend(used)
    return result


def session(model: onnx.ModelProto | bytes, threads: int = 0) -> ort.InferenceSession:
    """An inference session on the CPU; threads 0 is ONNX Runtime's default."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _SILENT
    serialized = model if isinstance(model, bytes) else model.SerializeToString()
    return ort.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])


def batches(
    model: onnx.ModelProto, tensors: Mapping[str, int], inputs: NDArray[Any]
) -> Iterator[list[NDArray[Any]]]:
    """The values of `tensors` (name -> ONNX element type) for `inputs` [N, ...], batch by batch.

    A model with a fixed batch size runs at that size, 1.
    """
    part = session(part_up_to(model, tensors))
    (source,) = part.get_inputs()
    batch = source.shape[0] if isinstance(source.shape[0], int) else _BATCH
    for start in range(0, len(inputs), batch):
        yield part.run(list(tensors), {source.name: inputs[start : start + batch]})
