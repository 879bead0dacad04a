"""Locust's page: it refuses values of which no test can be made, and shows the end of each test."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, json, jsonify, request
from locust.env import Environment
from locust.runners import STATE_CLEANUP, STATE_RUNNING, STATE_STOPPING
from options import Options, options_of_form

from local.common.cli import UsageError


def refuse_invalid_forms(
    app: Flask, environment: Environment, check: Callable[[Options], None]
) -> None:
    """Have the page show the message of a `UsageError` that `check` raises for the options of its
    form. No test starts, and the options stay as they were."""

    @app.before_request
    def check_form() -> Response | None:
        if request.method != "POST" or not request.path.endswith("/swarm"):
            return None
        try:
            options: Any = options_of_form(request.form, environment.parsed_options)
            options.host = request.form.get("host") or options.host
            check(options)
        except UsageError as error:
            return jsonify({"success": False, "message": str(error), "host": environment.host})
        return None


def show_the_end(app: Flask) -> None:
    """Say that a test runs until it has stopped. The page asks every 2 s, but not again after the
    states in between: if it meets one of them, it never shows the end of the test."""

    @app.after_request
    def keep_running(response: Response) -> Response:
        if request.path.endswith("/stats/requests") and response.is_json:
            report = response.get_json()
            if report.get("state") in (STATE_CLEANUP, STATE_STOPPING):
                response.set_data(json.dumps({**report, "state": STATE_RUNNING}))
        return response
