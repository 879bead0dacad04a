"""Benchmark the service: rate, latency, CPU, memory and cold start.

    python -m local.benchmark [--peers] [--json FILE]

The baseline is the service's own decoding and inference in a loop, without HTTP: a lower bound. The
tutorial app decodes every pixel, computes in floats and runs the FP32 model. --peers adds other
model servers with the same model and decoding. Each round measures all of them in turn over the
loopback interface. Prints the medians of the rounds and compares them with the project's targets.
"""

from local.benchmark.cli import benchmark
from local.common.cli import main

if __name__ == "__main__":
    main(lambda: benchmark(__doc__ or ""))
