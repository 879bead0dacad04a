"""Measure the service under overload, with crowds of clients and with an open loop.

    python -m local.benchmark.overload [--peers] [--before DIR] [--json FILE]

Each client of a crowd sends its next photo as soon as it has a response of any kind, over a
connection that it keeps open if the response allows it. Goodput, the good responses per second, is
compared with that of 64 clients, before and after each crowd; both are corrected for the CPU time
that other processes took. A monitor requests /healthz and /metrics every 50 ms. Half of one crowd
waits as long as Retry-After says; the clients of another give up after two seconds. The open loop
sends requests five times as fast as the service can respond, whatever the responses. Prints tables,
and the figures beside their targets.
"""

from local.benchmark.overload.cli import overload
from local.common.cli import main

if __name__ == "__main__":
    main(lambda: overload(__doc__ or ""))
