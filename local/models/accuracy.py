"""Accuracy and latency of a quantized model and its float model."""

import statistics
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tqdm import tqdm

from local.models.graph.sessions import session

_TURNS: Final = 10
_WARM_UP: Final = 5
_RUNS: Final = 20
"""Timed runs per turn, after the warm-up: a service runs one model, with its weights in cache."""


def probabilities(model: bytes, pixels: NDArray[np.uint8], what: str) -> NDArray[np.float32]:
    """float32 [N, classes] for pixels uint8 [N, size, size, 3], one photo at a time, as served."""
    model_session = session(model)
    photos = tqdm(range(len(pixels)), what, unit="photo", disable=None)
    return np.concatenate([_run(model_session, pixels[photo : photo + 1]) for photo in photos])


def accuracy(
    fp32: NDArray[np.float32], int8: NDArray[np.float32], classes: NDArray[np.intp]
) -> dict[str, Any]:
    """Fractions of the photos: correct class in top 1 and top 5, and the same top 1 in both.

    fp32, int8: probabilities [N, classes]; classes: the true ones, [N].
    """
    same = fp32.argmax(1) == int8.argmax(1)
    return {
        "fp32": {"top1": _top(fp32, classes, 1), "top5": _top(fp32, classes, 5)},
        "int8": {"top1": _top(int8, classes, 1), "top5": _top(int8, classes, 5)},
        "agreement": round(float(same.mean()), 4),
    }


def _top(outputs: NDArray[np.float32], classes: NDArray[np.intp], k: int) -> float:
    best = np.argsort(-outputs, axis=1, kind="stable")[:, :k]
    return round(float((best == classes[:, None]).any(1).mean()), 4)


def latency(fp32: bytes, int8: bytes, pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """The median time of one inference in ms: one thread, one photo; the models alternate, so that
    other activity on the machine affects both."""
    sessions = {"fp32_ms": session(fp32, threads=1), "int8_ms": session(int8, threads=1)}
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in tqdm(range(_TURNS), "Timing", unit="turn", disable=None):
        for name, model in sessions.items():
            for run in range(_WARM_UP + _RUNS):
                photo = pixels[run % len(pixels)][None]
                start = time.perf_counter()
                _run(model, photo)
                if run >= _WARM_UP:
                    times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "threads": 1,
        **{name: round(median, 2) for name, median in medians.items()},
        "ratio": round(medians["int8_ms"] / medians["fp32_ms"], 3),
        "cpu": _cpu(),
    }


def _run(model_session: ort.InferenceSession, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    outputs: NDArray[np.float32] = model_session.run(
        None, {model_session.get_inputs()[0].name: pixels}
    )[0]
    return outputs


def _cpu() -> str:
    """The processor's name, with its INT8 support."""
    try:
        info = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return "unknown"
    names = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    vnni = " with VNNI" if "avx512_vnni" in info or "avx_vnni" in info else ""
    return (names or ["unknown"])[0] + vnni
