"""A steady rate: a request every 1/rate seconds, or at random times (Poisson), or a ramp.

    locust -f locustfiles/steady.py --headless --rate 100 --for 60 --arrivals poisson
    locust -f locustfiles/steady.py --headless --ramp 10:200 --for 60

An open loop: requests are due at their times, whether or not earlier ones are done, and times count
from when they were due. Each process has one user, which sends every n-th request if there are n
processes (--processes 4, or --master and --worker): together they keep the rate.
"""

from common import Classifier, Load, UntilAnswered
from options import Options
from rate_plan import schedule_of


class SteadyUser(Classifier):
    """The requests of one process."""

    def send(self, start: float) -> None:
        schedule = schedule_of(self.options)
        for due in schedule.due[self.share.index :: self.share.of]:
            self.classify_at(start + due)


class Steady(UntilAnswered):
    """One user in each process."""

    def load(self, options: Options) -> Load:
        schedule = schedule_of(options)
        return Load(self.processes, schedule.requests, schedule.span)
