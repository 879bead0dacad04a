"""Timed waves: N requests at once, every T seconds, R times, whether or not earlier ones are done.

    locust -f locustfiles/waves.py --headless --N 50 --T 1 --R 30

An open loop: each of the N users starts a request when a wave is due, without waiting for its
earlier ones, and times count from when the wave was due. More workers (--processes 4, or --master
and --worker) share the N users, so the load stays the same, and the waves start closer together.
"""

from common import Classifier, Load, UntilAnswered
from options import Options
from wave_plan import plan_of, schedule_of


class WaveUser(Classifier):
    """One request in each wave."""

    def send(self, start: float) -> None:
        plan = plan_of(self.options)
        for wave in range(plan.repeat):
            self.classify_at(start + wave * plan.period)


class Waves(UntilAnswered):
    """N users."""

    def load(self, options: Options) -> Load:
        schedule = schedule_of(options)
        return Load(plan_of(options).parallel, schedule.requests, schedule.span)
