"""Waves with nothing but Locust's fast client: the least that a scenario of Locust can do.

WAVES='{"parallel": 10, "period": 1, "repeat": 5}' locust -f tests/measure/fast_http_waves.py
"""

import json
import os
import time
from pathlib import Path

import gevent  # type: ignore[import-untyped]
from locust import FastHttpUser, task

from local.loadtest.payload import read_payloads

PLAN = json.loads(os.environ["WAVES"])
(BODY,) = read_payloads(Path(os.environ["IMAGE"]))


class User(FastHttpUser):
    """The only user: a request is a greenlet, as a wave does not wait for the previous one."""

    concurrency = 1_000_000
    network_timeout = connection_timeout = 60.0

    @task
    def send(self) -> None:
        start = time.perf_counter() + 0.05
        sent = []
        for wave in range(PLAN["repeat"]):
            gevent.sleep(max(0.0, start + wave * PLAN["period"] - time.perf_counter()))
            sent += [gevent.spawn(self.post) for _ in range(PLAN["parallel"])]
        gevent.joinall(sent)
        self.environment.runner.quit()

    def post(self) -> None:
        headers = {"Content-Type": BODY.content_type, "Connection": "close"}
        self.client.post("/", data=BODY.content, headers=headers)  # type: ignore[arg-type]
