"""Models of services with a known capacity."""

from typing import Final

import numpy as np

from tests.support.exact_server import Model

_DRAWS: Final = 1000


def bimodal(usual: float, rare: float, share: float) -> list[float]:
    """Service times in random order, of which `share` are `rare`, the others `usual`."""
    rare_ones = round(share * _DRAWS)
    seconds = [rare] * rare_ones + [usual] * (_DRAWS - rare_ones)
    return [float(value) for value in np.random.default_rng(19).permutation(seconds)]


ONE: Final = Model([0.007])
THREE: Final = Model([0.020], servers=3)
BIMODAL: Final = Model(bimodal(usual=0.004, rare=0.015, share=0.2))

MODELS: Final = {
    "one server, 7 ms": ONE,
    "three servers, 20 ms": THREE,
    "one server, 4 or 15 ms": BIMODAL,
}


def capacity(model: Model) -> float:
    """Requests per second that all servers together answer; above it, the queue grows without
    end."""
    return model.servers / mean(model)


def mean(model: Model) -> float:
    """Of the service times, in seconds."""
    return float(np.mean(model.seconds))
