"""The parameters of template.yaml, and the values that a deployment gives them."""

import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from local.common.cli import UsageError
from local.common.paths import ROOT

Json = dict[str, Any]

_TEMPLATE: Final = ROOT / "template.yaml"
_SAMCONFIG: Final = ROOT / "samconfig.toml"

_FRACTIONS: Final = {"ThrottleRate", "SlowMilliseconds"}
"""Numbers that may have a fraction: API Gateway and CloudWatch take them."""

_MAX_LENGTH: Final = 4096
"""Bytes of a parameter's value (AWS CloudFormation User Guide, "CloudFormation quotas")"""


@dataclass(frozen=True)
class Config:
    """What samconfig.toml says of deployments."""

    overrides: Mapping[str, str]
    region: str | None = None
    profile: str | None = None
    stack: str | None = None


class _Loader(yaml.SafeLoader):
    """With the short forms of CloudFormation's functions, as their long forms."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Json:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


def read_template(path: Path = _TEMPLATE) -> Json:
    """The template. Raises `UsageError`."""
    template: Json = yaml.load(_text(path), _Loader)  # noqa: S506 - a SafeLoader
    return template


def read_samconfig(environment: str, path: Path = _SAMCONFIG) -> Config:
    """What the section `environment` says of `sam deploy`. Raises `UsageError`."""
    try:
        content: Json = tomllib.loads(_text(path)) if path.exists() else {}
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path.name} is not TOML: {error}.") from None
    if content and not isinstance(content.get(environment), dict):
        raise UsageError(f"{path.name} has no section {environment!r}.")
    section = content.get(environment, {})
    merged = {**_parameters(section, "global"), **_parameters(section, "deploy")}
    for name in ("region", "profile", "stack_name"):
        if not isinstance(merged.get(name, ""), str):
            raise UsageError(f"{name} of {path.name} must be a string.")
    return Config(
        _overrides(merged.get("parameter_overrides", [])),
        merged.get("region"),
        merged.get("profile"),
        merged.get("stack_name"),
    )


def _parameters(section: Json, command: str) -> Json:
    match section.get(command):
        case {"parameters": dict(parameters)}:
            return parameters
    return {}


def given_values(
    template: Json, overrides: Mapping[str, str], arguments: Sequence[str]
) -> dict[str, str]:
    """The values that a deployment names: `arguments`, or without any the `overrides` of
    samconfig.toml, as `sam deploy` does. Raises `UsageError` for one that the template lacks."""
    given = _pairs(arguments) or dict(overrides)
    for name in given:
        if name not in template["Parameters"]:
            names = ", ".join(template["Parameters"])
            raise UsageError(f"The template has no parameter {name!r}. It has {names}.")
    return given


def all_values(
    template: Json, deployed: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """The value of every parameter: as given, else of the deployed stack, else the default."""
    values = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    kept = {name: value for name, value in deployed.items() if name in values}
    return {**values, **kept, **given}


def refusals(template: Json, values: Mapping[str, str]) -> dict[str, str]:
    """Why CloudFormation refuses a value by itself, by the parameter's name."""
    found = {
        name: _refusal(name, each, values[name]) for name, each in template["Parameters"].items()
    }
    return {name: reason for name, reason in found.items() if reason}


def broken_rules(template: Json, values: Mapping[str, str]) -> list[str]:
    """The sentences of the template's rules that `values` break."""
    return [
        assertion["AssertDescription"]
        for rule in template.get("Rules", {}).values()
        if holds(rule["RuleCondition"], values)
        for assertion in rule["Assertions"]
        if not holds(assertion["Assert"], values)
    ]


def holds(condition: Json, values: Mapping[str, str]) -> bool:
    """Whether a condition of CloudFormation on parameters holds."""
    ((function, operands),) = condition.items()
    match function:
        case "Fn::Equals":
            first, second = (_operand(each, values) for each in operands)
            return first == second
        case "Fn::Not":
            return not holds(operands[0], values)
        case "Fn::And":
            return all(holds(each, values) for each in operands)
        case "Fn::Or":
            return any(holds(each, values) for each in operands)
    raise ValueError(f"unknown function {function}")


def _operand(operand: object, values: Mapping[str, str]) -> str:
    return values[operand["Ref"]] if isinstance(operand, dict) else str(operand)


def _refusal(name: str, parameter: Json, value: str) -> str:
    longest = int(parameter.get("MaxLength", _MAX_LENGTH))
    if len(value) > longest:
        return f"may have at most {longest} characters"
    allowed = [str(each) for each in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"must be one of {', '.join(allowed)}"
    if parameter["Type"] == "Number":
        return _number_refusal(parameter, value, fraction=name in _FRACTIONS)
    if "AllowedPattern" in parameter and not re.fullmatch(parameter["AllowedPattern"], value):
        return str(parameter["ConstraintDescription"])
    return ""


def _number_refusal(parameter: Json, value: str, *, fraction: bool) -> str:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?" if fraction else r"-?[0-9]+", value):
        return "must be a number" if fraction else "must be a whole number"
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if least is not None and float(value) < least:
        return f"must be {least} or more"
    if most is not None and float(value) > most:
        return f"must be at most {most}"
    return ""


def _overrides(given: object) -> dict[str, str]:
    """`parameter_overrides` in each of the forms that the SAM CLI accepts."""
    if isinstance(given, Mapping):
        return {str(name): str(value) for name, value in given.items()}
    if isinstance(given, str | list):
        texts = [given] if isinstance(given, str) else map(str, given)
        try:
            return _pairs([part for text in texts for part in shlex.split(text)])
        except ValueError:
            pass  # a quote without its second
    raise UsageError("parameter_overrides of samconfig.toml must be Name=Value pairs.")


_OLD_FORM: Final = re.compile(r"ParameterKey=(.*?),ParameterValue=(.*)")


def _pairs(arguments: Iterable[str]) -> dict[str, str]:
    pairs = {}
    for argument in arguments:
        old = _OLD_FORM.fullmatch(argument)
        name, equals, value = (old[1], "=", old[2]) if old else argument.partition("=")
        if not name or not equals:
            raise UsageError(f"{argument!r} is not Name=Value (see --help)")
        pairs[name] = value
    return pairs


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{str(path)!r} cannot be read: it is not UTF-8.") from None
