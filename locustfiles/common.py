"""What scenarios import: the user, and the shape that ends with the responses to its requests.

Importing it adds the options, the common start, the verdict and the checks of the page.
"""

import logging
import sys
from pathlib import Path
from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import LocalRunner, WorkerRunner

# At the end: Locust removes the first entry of the path.
sys.path.append(str(Path(__file__).resolve().parent.parent))

import page
import verdict
from options import move_credentials
from shape import Load, UntilAnswered
from user import Classifier

from local.common.cli import UsageError

__all__ = ["Classifier", "Load", "UntilAnswered"]


@events.init.add_listener
def on_init(environment: Environment, **_: Any) -> None:
    """Refuse options of which no test can be made. A master does that when its workers are there,
    so that it can end them."""
    shape, options = environment.shape_class, environment.parsed_options
    if not isinstance(shape, UntilAnswered) or isinstance(environment.runner, WorkerRunner):
        return
    assert options is not None
    move_credentials(options)
    environment.host = options.host
    shape.use_common_options = False  # its page has no fields for them
    if options.num_users or options.spawn_rate:
        logging.getLogger(__name__).warning(
            "--users and --spawn-rate have no effect: the scenario sets the users."
        )
    if options.headless and isinstance(environment.runner, LocalRunner):
        try:
            shape.check(options)
        except UsageError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(verdict.INVALID)
    verdict.add_verdict(environment)
    if environment.web_ui is not None and environment.web_ui.app is not None:
        page.refuse_invalid_forms(environment.web_ui.app, environment, shape.check)
        page.show_the_end(environment.web_ui.app)
