"""The service beside its floor and beside the tutorial app: rate, latency, CPU, memory, start.

    python -m local.benchmark [--peers] [--json FILE]

The floor is the service's own decoding and inference in a loop, without HTTP: what no server can
beat. The tutorial app decodes every pixel, computes in floats and runs the FP32 model. --peers adds
servers that one might use instead, with the same model and the same decoding. All take turns within
each round, on the loopback interface. The medians of the rounds are printed and compared with the
project's targets.
"""

from local.benchmark.cli import benchmark
from local.common.cli import main

if __name__ == "__main__":
    main(lambda: benchmark(__doc__ or ""))
