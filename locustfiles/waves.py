"""Timed waves: N requests at once, every T seconds, R times, whether or not earlier ones are done.

    locust -f locustfiles/waves.py --headless --N 50 --T 1 --R 30

An open loop: each of the N users starts a request when a wave is due, without waiting for its
earlier ones, and times count from when the wave was due. More workers (--processes 4, or --master
and --worker) share the N users, so the load stays the same.
"""

import gevent
from common import Classifier, UntilAnswered, sleep_until


class WaveUser(Classifier):
    """One request in each wave."""

    def send(self, start: float) -> None:
        requests = []
        for wave in range(self.plan.repeat):
            due = start + wave * self.plan.period
            sleep_until(due)
            requests.append(gevent.spawn(self.classify, due))
        gevent.joinall(requests)


class Waves(UntilAnswered):
    pass
