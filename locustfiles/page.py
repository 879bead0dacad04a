"""Locust's page refuses values of which no test can be made, where they were entered."""

from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request
from locust.env import Environment
from options import Options, options_of_form

from local.common.cli import UsageError


def refuse_invalid_forms(environment: Environment, check: Callable[[Options], None]) -> None:
    """Have the page show the message of a `UsageError` that `check` raises for the options of its
    form. No test starts, and the options stay as they were."""
    assert environment.web_ui is not None
    assert environment.web_ui.app is not None

    @environment.web_ui.app.before_request
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
