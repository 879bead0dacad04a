"""A separate trace for each request, in the header `traceparent` (W3C "Trace Context", 3.2).

The ids follow from the index of the request, so that nothing has to be recorded: the CSV computes
them again.
"""

import secrets
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

_STEP: Final = 0x9E3779B97F4A7C15
"""2 to the power of 64 divided by the golden ratio, and odd: the lower halves of the trace ids are
all different and evenly spread, as samplers that decide by them expect (Knuth, "The Art of Computer
Programming", volume 3, 6.4)."""

_BITS: Final = 64
_MASK: Final = 2**_BITS - 1


class Traces(NamedTuple):
    """The traces of a run: `run`, their upper half, is common to all requests; `seed` is the lower
    half of the first one. Both are random numbers of 64 bits, and not 0."""

    run: int
    seed: int

    @classmethod
    def new(cls) -> Self:
        """Those of another run."""
        return cls(1 + secrets.randbelow(_MASK), 1 + secrets.randbelow(_MASK))

    def mark(self, message: bytes, index: int) -> bytes:
        """The HTTP request `message` as the request `index` of the run, with the header: sampled,
        so that a system that samples by its caller keeps each of them."""
        # The lower half names the caller's span as well: no tracing system has that one.
        low = (self.seed + index * _STEP) & _MASK
        header = b"traceparent: 00-%016x%016x-%016x-01\r\n" % (self.run, low, low or 1)
        end = message.index(b"\r\n") + 2
        return b"".join((message[:end], header, memoryview(message)[end:]))

    def ids(self, requests: NDArray[Any]) -> list[str]:
        """The trace ids of the requests with these indices, as tracing systems show them."""
        lows = np.uint64(self.seed) + requests.astype(np.uint64) * np.uint64(_STEP)
        upper = f"{self.run:016x}"
        return [f"{upper}{low:016x}" for low in lows.tolist()]
