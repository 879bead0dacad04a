"""The settings of the service, as `classifier.settings` declares them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from typing import Any, Final
from unittest import mock

from classifier.settings import SHIPPED_MODEL, Settings
from local.common.markdown import table
from local.simulation.aws_figures import VCPU

_CORES: Final = (1, 2)
"""Defaults are evaluated with both: a default that is a multiple of the cores doubles."""

_MEMORY: Final = tuple(str(int(cores * VCPU.value)) for cores in _CORES)


def settings_table() -> str:
    """Every environment variable."""
    return _table(_declared())


def limits_table() -> str:
    """Settings with a unit: limits on the work that requests can cause."""
    return _table(setting for setting in _declared() if setting.metadata["unit"])


def _declared() -> Iterable[Field[Any]]:
    """Settings with a declared meaning; the others are detected, not set."""
    return (setting for setting in fields(Settings) if "meaning" in setting.metadata)


def _table(settings: Iterable[Field[Any]]) -> str:
    rows = []
    for setting in settings:
        here, on_lambda = _default(setting, _here), _default(setting, _on_lambda)
        rows.append(
            (
                f"`{setting.name.upper()}`",
                here,
                "" if here == on_lambda else on_lambda,
                setting.metadata["unit"],
                setting.metadata["meaning"],
            )
        )
    return table(("variable", "default", "on Lambda", "unit", "meaning"), rows)


def _here(cores: int) -> Mapping[str, str]:
    return {}


def _on_lambda(cores: int) -> Mapping[str, str]:
    memory = _MEMORY[_CORES.index(cores)]
    return {"AWS_LAMBDA_FUNCTION_NAME": "name", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory}


def _default(setting: Field[Any], environment: Callable[[int], Mapping[str, str]]) -> str:
    """The default in words that hold on every machine and for every memory size."""
    name = setting.name
    one, two = (_value(name, environment(cores), cores) for cores in _CORES)
    if one == two:
        return _shown(one, setting.metadata["least"])
    if two == 2 * one:
        unit = "core" if environment is _here else f"vCPU ({VCPU.value:.0f} MB)"
        return f"{one} per {unit}"
    raise ValueError(f"the default of {name} is neither fixed nor a multiple of the cores")


def _value(name: str, environment: Mapping[str, str], cores: int) -> Any:
    with mock.patch("os.sched_getaffinity", return_value=range(cores), create=True):
        return getattr(Settings.from_environment(environment), name)


def _shown(value: Any, least: int) -> str:
    if value == 0 < least and not isinstance(value, bool):
        return "derived"
    if value == str(SHIPPED_MODEL):
        return f"`{SHIPPED_MODEL.parent.name}/{SHIPPED_MODEL.name}`"
    return str(int(value) if isinstance(value, bool) else value)
