"""What must be equal on every CPU: logits of photos, and every input of the nodes that round.

The work of a CPU is done by one process, because the start of an emulated one takes seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from classifier.images import read_image
from local.models.graph.onnx_graph import GraphIndex
from local.models.quantization.kernels import Step
from local.models.quantization.same_rounding import roundings
from tests.support.emulation import Cpu
from tests.support.pictures import encode, photo

Outputs = dict[str, NDArray[Any]]
"""By the name of the tensor, and for a `Probe` by its name"""

_PROGRAM: Final = Path(__file__).with_name("run_models.py")

_PHOTOS: Final = (
    *("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg"),
    "retina.jpg",
)

Job = tuple[onnx.ModelProto, Mapping[str, NDArray[Any]]]
"""A model, and [R, ...] for each of its inputs: R runs"""

Probe = tuple[str, str, Sequence[Step], int]
"""Name, operator (Add, Mul or GlobalAveragePool), steps of inputs and output, and positions"""


def photos(size: int) -> NDArray[np.uint8]:
    """24 different ones, uint8 [24, size, size, 3]: scikit-image's, mirrored and cropped."""
    crops = [
        read_image(encode(photo(name), "PNG"), size, fraction)
        for name in _PHOTOS
        for fraction in (0.875, 0.5)
    ]
    return np.stack([*crops, *(crop[:, ::-1] for crop in crops)])


def with_logits(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model (changed in place) with the logits as its first output."""
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)
    model.graph.output.insert(0, logits)
    return model


def photo_job(model: onnx.ModelProto, pixels: NDArray[np.uint8]) -> Job:
    """Logits and probabilities of each photo of `pixels`, [N, size, size, 3]."""
    return with_logits(model), {"pixels": pixels[:, None]}


def probes(model: onnx.ModelProto) -> list[Probe]:
    """One for each node of a QDQ model that rounds."""
    index = GraphIndex(model.graph)
    return [
        (each.node.name, each.node.op_type, each.steps(index), each.positions)
        for each in roundings(model, index)
    ]


def probe_job(wanted: Iterable[Probe]) -> Job:
    """Every pair of inputs, and every sum of inputs of a pooling, in ONNX Runtime's kernels.

    The outputs are uint8 [1, 65536], and [1, sums] for poolings.
    """
    nodes, constants, outputs = [], [], []
    first, second = np.indices((256, 256), np.uint8).reshape(2, 1, -1)
    feeds = {"first": first, "second": second}
    for name, op_type, steps, positions in wanted:
        parameters = []
        for place, step in enumerate(steps):
            parameters += [f"{name}.scale{place}", f"{name}.zero{place}"]
            constants.append(numpy_helper.from_array(np.array(step.scale), parameters[-2]))
            zero_point = np.array(step.zero_point, np.uint8)
            constants.append(numpy_helper.from_array(zero_point, parameters[-1]))
        if op_type == "GlobalAveragePool":
            feeds[f"sums{positions}"] = _all_sums(positions)
            inputs = [f"sums{positions}", *parameters]
        else:
            inputs = ["first", *parameters[:2], "second", *parameters[2:]]
        options: dict[str, Any] = {"channels_last": 1} if op_type == "GlobalAveragePool" else {}
        nodes.append(
            helper.make_node(f"QLinear{op_type}", inputs, [name], domain="com.microsoft", **options)
        )
        outputs.append(helper.make_tensor_value_info(name, TensorProto.UINT8, None))
    sources = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, values.shape[1:])
        for name, values in feeds.items()
    ]
    graph = helper.make_graph(nodes, "probes", sources, outputs, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), feeds


def _all_sums(positions: int) -> NDArray[np.uint8]:
    """[1, 1, positions, 1, sums]: a channel for each sum of `positions` bytes."""
    sums = np.arange(255 * positions + 1)
    values = sums // positions + (np.arange(positions)[:, None] < sums % positions)
    return values.astype(np.uint8)[None, None, :, None, :]


def run(cpu: Cpu, jobs: Mapping[str, Job], folder: Path) -> dict[str, Outputs]:
    """The outputs of each job, [R, ...], on a processor; `folder` is for its files.

    Raises `subprocess.CalledProcessError`.
    """
    files: list[Path] = []
    for number, (model, feeds) in enumerate(jobs.values()):
        names = (f"{number}.onnx", f"{number}.npz", f"{number}.outputs.npz")
        paths = [folder / name for name in names]
        onnx.save(model, paths[0])
        np.savez(paths[1], **feeds)  # type: ignore[arg-type]
        files += paths
    cpu.run(_PROGRAM, *map(str, files))
    results = {}
    for name, path in zip(jobs, files[2::3], strict=True):
        with np.load(path) as stored:
            results[name] = dict(stored)
    return results
