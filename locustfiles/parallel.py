"""N parallel users: each POSTs an image, waits for the response, pauses T seconds, R times.

    locust -f locustfiles/parallel.py --headless --N 20 --T 0 --R 5

A closed loop: a slow service is asked less often. With --R 1 it is what test_script.py does.
"""

import time

import gevent
from common import Classifier, UntilAnswered, sleep_until


class ParallelUser(Classifier):
    """One request after the other."""

    def send(self, start: float) -> None:
        sleep_until(start)
        self.classify(start)
        for _ in range(self.plan.repeat - 1):
            gevent.sleep(self.plan.period)
            self.classify(time.perf_counter())


class Parallel(UntilAnswered):
    pass
