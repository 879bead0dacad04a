"""INT8 where it holds: the model with the fewest layers in float that decides as the float model.

The whole network is quantized first. If the result agrees with the float model on too few photos,
the layers whose quantization causes the largest errors stay floats: one, two, four and so on. If
more than half of the multiplications would be floats, or if the network cannot be quantized, the
float model itself is served.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from local.models.accuracy import probabilities
from local.models.agreement import agreement
from local.models.float_model import serialized
from local.models.graph.service_io import add_service_io
from local.models.quantization.float_layers import protect_float_layers
from local.models.quantization.qdq_layers import unsafe_layers, unsupported_nodes
from local.models.quantization.quantize import PreparedNetwork
from local.models.quantization.sensitivity import LayerError, layer_errors, multiplications
from local.models.sources.source import Source

Kind = Literal["int8", "mixed", "float"]

_LARGEST_FLOAT_SHARE: Final = 0.5
"""Of the multiplications: above it INT8 saves little, and the float model is exact."""

_LONGEST_REASON: Final = 200
"""Characters of an error of a library."""


@dataclass(frozen=True)
class Attempt:
    """A quantized model with some layers in float.

    float_share: of the multiplications, 0 to 1. outputs: the probabilities [N, classes] for the
    photos that measure it; agreement: their share of equal decisions with the float model, or None
    if there are no photos.
    """

    model: onnx.ModelProto = field(repr=False)
    float_layers: tuple[LayerError, ...]
    float_share: float
    outputs: NDArray[np.float32] = field(repr=False)
    agreement: float | None


@dataclass(frozen=True)
class Choice:
    """The model to serve, and the attempts that led to it, the chosen one last.

    reference: the float model, and its probabilities [N, classes] for the photos that measure.
    reason: why the model is the float one, without a full stop.
    """

    kind: Kind
    reference: onnx.ModelProto = field(repr=False)
    expected: NDArray[np.float32] = field(repr=False)
    attempts: tuple[Attempt, ...]
    reason: str | None = None

    @property
    def chosen(self) -> Attempt | None:
        """The attempt that is served; None for a float model."""
        return None if self.kind == "float" else self.attempts[-1]

    @property
    def model(self) -> onnx.ModelProto:
        """The model to serve: uint8 pixels -> probabilities."""
        return self.chosen.model if self.chosen else self.reference


def choose_precision(
    source: Source,
    calibration: NDArray[np.uint8],
    measured: NDArray[np.uint8],
    min_agreement: float,
) -> Choice:
    """The INT8 model of `source`, a mixed one or the float one.

    calibration: pixels of photos, uint8 [N, size, size, 3], N of 1 or more; measured: those that
    measure the agreement, [M, size, size, 3]; if M is 0, INT8 is chosen without a measurement.
    min_agreement: 0 to 1.
    """
    reference = add_service_io(source.network, source.normalization, source.activation)
    expected = _outputs(reference, measured, "FP32")
    attempts: list[Attempt] = []
    try:
        for attempt in _Attempts(source, calibration, measured, expected):
            attempts.append(attempt)
            if attempt.agreement is None or attempt.agreement >= min_agreement:
                kind: Kind = "mixed" if attempt.float_layers else "int8"
                return Choice(kind, reference, expected, tuple(attempts))
        reason = f"INT8 agrees with it on less than {min_agreement:.1%} of the photos"
    except Exception as error:  # classes of ONNX Runtime, of its quantizer and of numpy
        cause = " ".join(str(error).split())[:_LONGEST_REASON]
        reason = f"the network cannot be quantized ({type(error).__name__}: {cause})"
    return Choice("float", reference, expected, tuple(attempts), reason)


class _Attempts:
    """Iterates over quantized models: none of their layers in float, and then more and more."""

    def __init__(
        self,
        source: Source,
        calibration: NDArray[np.uint8],
        measured: NDArray[np.uint8],
        expected: NDArray[np.float32],
    ) -> None:
        self._source, self._measured, self._expected = source, measured, expected
        self._prepared = PreparedNetwork.of(source.network, calibration, source.normalization)
        self._counts = multiplications(self._prepared.network, self._prepared.inputs)
        self._never_quantized = unsupported_nodes(self._prepared.network.graph)

    def __iter__(self) -> Iterator[Attempt]:
        graph = self._prepared.quantized()
        yield self._attempt(graph, ())
        layers = layer_errors(self._prepared.network, graph, self._prepared.inputs)
        most = 0
        while most < len(layers) and self._float_share(layers[: most + 1]) <= _LARGEST_FLOAT_SHARE:
            most += 1
        for number in _doubling(most):
            kept = tuple(layers[:number])
            yield self._attempt(self._prepared.quantized(_nodes(kept)), kept)

    def _attempt(self, graph: onnx.ModelProto, float_layers: tuple[LayerError, ...]) -> Attempt:
        model = protect_float_layers(
            add_service_io(graph, self._source.normalization, self._source.activation)
        )
        unsafe = unsafe_layers(model.graph)
        if unsafe:
            raise ValueError(f"layers could saturate: {', '.join(unsafe)}")
        outputs = _outputs(model, self._measured, "INT8")
        share = agreement(self._expected, outputs) if len(outputs) else None
        return Attempt(model, float_layers, self._float_share(float_layers), outputs, share)

    def _float_share(self, float_layers: Sequence[LayerError]) -> float:
        floats = {*self._never_quantized, *_nodes(float_layers)}
        done = sum(count for name, count in self._counts.items() if name in floats)
        return done / max(sum(self._counts.values()), 1)


def _nodes(layers: Collection[LayerError]) -> list[str]:
    return [name for layer in layers for name in layer.nodes]


def _doubling(last: int) -> Iterator[int]:
    """1, 2, 4, ... and `last`."""
    number = 1
    while number < last:
        yield number
        number *= 2
    if last:
        yield last


def _outputs(model: onnx.ModelProto, pixels: NDArray[np.uint8], what: str) -> NDArray[np.float32]:
    """Probabilities [N, classes], [0, 0] for no photos."""
    if not len(pixels):
        return np.empty((0, 0), np.float32)
    return probabilities(serialized(model), pixels, what)
