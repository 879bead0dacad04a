"""N parallel users: each POSTs an image, waits for the response, pauses T seconds, R times.

    locust -f locustfiles/parallel.py --headless --N 20 --T 0 --R 5

A closed loop: a slow service is asked less often. With --R 1 it is what test_script.py does.
"""

import time

import gevent
from common import Classifier, Load, UntilAnswered
from options import Options
from wave_plan import plan_of


class ParallelUser(Classifier):
    """One request after the other."""

    def send(self, start: float) -> None:
        plan = plan_of(self.options)
        self.classify(start)
        for _ in range(plan.repeat - 1):
            gevent.sleep(plan.period)
            self.classify(time.perf_counter())


class Parallel(UntilAnswered):
    """N users."""

    def load(self, options: Options) -> Load:
        plan = plan_of(options)
        return Load(plan.parallel, plan.requests, span=None)
