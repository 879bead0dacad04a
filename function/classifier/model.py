"""Pixels -> predictions: an ONNX Runtime session of a verified artifact."""

import os
from pathlib import Path
from typing import Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from classifier.artifact import (
    CLASS_MAP,
    EXPLAIN,
    MODEL_FILE,
    Artifact,
    ArtifactError,
    directory_reader,
    load_artifact,
)

# Before the import, which reads it: the telemetry would write below the home directory.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime as ort

_MAP_DECIMALS: Final = 3

_ERRORS_ONLY: Final = 3
"""ONNX Runtime's severity level (0 verbose ... 4 fatal)"""


class Prediction(TypedDict):
    """One class and its probability, 0 to 1."""

    label: str
    index: int
    wnid: str | None
    probability: float


class Model:
    """An image classifier. Its methods may be called from several threads at once."""

    def __init__(
        self, artifact: Artifact, *, intra_op_threads: int = 1, warm_up: bool = True
    ) -> None:
        """Create the session, check it against card and labels, and run it once (`warm_up`): the
        first run may cost more than later ones. Raises `ArtifactError`."""
        self.card = artifact.card
        self._labels = artifact.labels
        self._session = create_session(artifact.graph, intra_op_threads)
        self._input = _input_name(self._session, self.card.size)
        self._output = _output_name(self._session, explains=self.card.explains)
        classes = self._session.get_outputs()[0].shape[-1]
        if warm_up or not isinstance(classes, int):
            black = np.zeros((self.card.size, self.card.size, 3), np.uint8)
            classes = self.probabilities(black).size
        if classes != len(self._labels):
            raise ArtifactError(
                f"The model {self.card.name} has {classes} classes, its labels file has "
                f"{len(self._labels)} lines. The numbers must be equal."
            )

    @property
    def classes(self) -> int:
        """The number of classes"""
        return len(self._labels)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """pixels [size, size, 3] uint8 -> the probability of each class, [classes] float32."""
        (batch,) = self._session.run([self._output], {self._input: pixels[np.newaxis]})
        probabilities: NDArray[np.float32] = batch[0]
        return probabilities

    @property
    def explains(self) -> bool:
        """Whether the model has a class activation map"""
        return self.card.explains

    def predict(self, pixels: NDArray[np.uint8], top_k: int) -> list[Prediction]:
        """The `top_k` most probable classes of pixels [size, size, 3] uint8, most probable first;
        of equal classes the lower index comes first. Raises `ArithmeticError` for NaN."""
        return self._predictions(self.probabilities(pixels), top_k)

    def predict_and_explain(
        self, pixels: NDArray[np.uint8], top_k: int
    ) -> tuple[list[Prediction], list[list[float]]]:
        """The same, and the class activation map of the first class: the rows of a grid over the
        pixels, whose mean plus a constant of the class is its logit. Only for models that
        explain."""
        inputs = {self._input: pixels[np.newaxis], EXPLAIN: np.array(True)}
        (probabilities,), (grid,) = self._session.run([self._output, CLASS_MAP], inputs)
        rows = [[round(value, _MAP_DECIMALS) for value in row] for row in grid.tolist()]
        return self._predictions(probabilities, top_k), rows

    def _predictions(self, probabilities: NDArray[np.float32], top_k: int) -> list[Prediction]:
        best = _largest(probabilities, top_k)
        return [
            Prediction(
                label=self._labels[index].name,
                index=int(index),
                wnid=self._labels[index].wnid,
                probability=round(float(probabilities[index]), 6),
            )
            for index in best
        ]


def load_model(location: str, *, intra_op_threads: int = 1, warm_up: bool = True) -> Model:
    """The model at `location`, as in `read_artifact`. Raises `ArtifactError`."""
    artifact = read_artifact(location)
    return Model(artifact, intra_op_threads=intra_op_threads, warm_up=warm_up)


def read_artifact(location: str) -> Artifact:
    """The artifact at `location`, a directory or `s3://bucket/prefix`. Raises `ArtifactError`."""
    if location.startswith("s3://"):
        from classifier.s3 import object_reader  # boto3: only where it is needed

        return load_artifact(object_reader(location), location)
    return load_artifact(directory_reader(Path(location)), location)


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Indices of the `count` largest values, in order. Sorting all takes 5 times as long. Raises
    `ArithmeticError` if a value is NaN."""
    count = min(count, values.size)
    largest = np.partition(values, values.size - count)[values.size - count :]
    if np.isnan(largest).any():  # NaN is sorted to the end
        raise ArithmeticError("The model's output is not a number (NaN).")
    candidates = np.flatnonzero(values >= largest[0])
    order = np.argsort(-values[candidates], kind="stable")[:count]
    return candidates[order]


def create_session(graph: bytes, intra_op_threads: int) -> ort.InferenceSession:
    """An ONNX Runtime session of an ONNX file. Raises `ArtifactError`."""
    options = ort.SessionOptions()
    # Explicit: the default counts the cores of the machine, not of the container.
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library has an exception class for each kind of failure
        reason = " ".join(str(error).split())
        raise ArtifactError(f"ONNX Runtime cannot load {MODEL_FILE}: {reason}") from None


def _input_name(session: ort.InferenceSession, size: int) -> str:
    tensor, *others = session.get_inputs()
    if others or tensor.type != "tensor(uint8)" or tensor.shape[1:] != [size, size, 3]:
        raise ArtifactError(
            f"{MODEL_FILE} must have one input, uint8 [N, {size}, {size}, 3]; "
            f"it has {tensor.type} {tensor.shape}."
        )
    return str(tensor.name)


def _output_name(session: ort.InferenceSession, *, explains: bool) -> str:
    """The name of the probabilities, which are the first output."""
    first, *others = [output.name for output in session.get_outputs()]
    optional = [tensor.name for tensor in session.get_overridable_initializers()]
    if explains and (CLASS_MAP not in others or EXPLAIN not in optional):
        raise ArtifactError(
            f"{MODEL_FILE} has no class activation map: it needs the optional input {EXPLAIN} and "
            f"the output {CLASS_MAP}. Remove explanation from the card, or build the model again."
        )
    return str(first)
