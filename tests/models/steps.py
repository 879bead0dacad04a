"""Steps of Adds that round some pairs of inputs differently on x86 and on arm64."""

from typing import Final

import numpy as np

from local.models.quantization.kernels import Step

BLOCK9: Final = [
    Step(np.float32(0.20969823002815247), 131),
    Step(np.float32(0.413765549659729), 129),
    Step(np.float32(0.42670661211013794), 127),
]
"""Of the inputs and the output of an Add of EfficientNet-Lite0, before its scale was aligned: the
sum of 0 and 166 lies at 98.49999"""


def random_steps(random: np.random.Generator, number: int) -> list[Step]:
    """Steps of the usual size; almost half of the Adds with three of them differ."""
    return [
        Step(np.float32(random.uniform(0.1, 0.6)), int(random.integers(256))) for _ in range(number)
    ]
