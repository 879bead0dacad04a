"""Serve with uvicorn: `python -m classifier.server`, with uvicorn's options.

This is `uvicorn main:app --http classifier.server.protocol:TimeoutProtocol`, with as many worker
processes as the cores need, unless --workers or WEB_CONCURRENCY gives their number. One process is
plain uvicorn. Several divide the limits of the service among them, each accepts its share of the
connections, and `/metrics` has their sums. HOST and PORT are the defaults of --host and --port.
Exit status 2 if a setting is invalid, and 0 after SIGINT or SIGTERM.
"""

import signal
import sys

if __name__ == "__main__":  # not if a test or a build imports this file
    # Before the other imports: the first process of a container ignores a signal that has no
    # handler, and would serve until it is killed. uvicorn sets its own handlers later.
    for _signal in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(_signal) is not signal.SIG_IGN:
            signal.signal(_signal, lambda number, frame: sys.exit(0))

import os
from typing import Any, Final

import click
from click.core import ParameterSource
from uvicorn.config import LOGGING_CONFIG, Config
from uvicorn.main import main as uvicorn_command

from classifier.server.listener import usable_addresses
from classifier.server.supervisor import supervise
from classifier.server.workers import default_workers
from classifier.settings import Settings, SettingsError

_PROGRAM: Final = "python -m classifier.server"
_APPLICATION: Final = "main:app"
_DEFAULTS: Final = ("--http", "classifier.server.protocol:TimeoutProtocol")

_SERVE: Final = "serve"
"""The argument with which Amazon SageMaker starts a container (SageMaker Developer Guide, "How
SageMaker AI runs your inference image"). It changes nothing."""


def main() -> None:
    """The command. Exits with its status."""
    arguments = sys.argv[1:]
    if arguments[:1] == [_SERVE]:
        del arguments[0]
    command = click.Command(
        "server",
        params=[option for option in uvicorn_command.params if option.name != "app"],
        context_settings=uvicorn_command.context_settings,
        help=__doc__,
        callback=_serve,
    )
    command.main([*_DEFAULTS, *arguments], prog_name=_PROGRAM)


def _serve(**options: Any) -> None:
    options["app"] = _APPLICATION
    if options["env_file"]:
        _load_environment(options["env_file"])
    try:
        settings = Settings.from_environment()
        _set_address(options, settings)
        if options["uds"] is None and options["fd"] is None:
            usable_addresses(options["host"], options["port"])
        workers = _workers(options, settings)
        if workers > 1:
            supervise(_config(**{**options, "workers": workers}))
            return
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    assert uvicorn_command.callback
    uvicorn_command.callback(**options)


def _load_environment(path: str) -> None:
    """As uvicorn does, but before the settings are read."""
    try:
        from dotenv import load_dotenv
    except ImportError:
        raise click.UsageError("--env-file needs the package python-dotenv.") from None
    load_dotenv(path)


def _set_address(options: dict[str, Any], settings: Settings) -> None:
    """Use the settings, unless uvicorn's options or its own variables (UVICORN_PORT) are given."""
    context = click.get_current_context()
    for name in ("host", "port"):
        if context.get_parameter_source(name) is ParameterSource.DEFAULT:
            options[name] = getattr(settings, name)


def _workers(options: dict[str, Any], settings: Settings) -> int:
    """Worker processes for uvicorn's `options`. Raises `SettingsError`."""
    if options["reload"]:  # uvicorn ignores the number
        return 1
    workers = settings.web_concurrency or default_workers(settings)
    if options["workers"] is None:
        os.environ["WEB_CONCURRENCY"] = str(workers)  # uvicorn reads it, and so does main
    else:
        workers = max(1, options["workers"])  # as uvicorn reads it
    settings.share(workers)
    return workers


def _config(
    *, app_dir: str | None, headers: list[str], log_config: str | None, **options: Any
) -> Config:
    """uvicorn's configuration for its options, as `uvicorn.main` makes it."""
    if app_dir is not None:
        sys.path.insert(0, app_dir)
    return Config(
        **options,
        headers=[(name, value) for name, _, value in (each.partition(":") for each in headers)],
        log_config=log_config or LOGGING_CONFIG,
    )


if __name__ == "__main__":
    main()
