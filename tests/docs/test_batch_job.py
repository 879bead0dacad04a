"""docs/bucket.md: requests and commands are those of AWS's service models."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from tests.support.batch_job import PAGE, documented, rerun
from tests.support.scripts import script

COMMAND = re.compile(r"^(?:[A-Z]+=\$\()?aws ([a-z0-9]+) ([a-z-]+)((?:[^\n]|\n +)*)", re.MULTILINE)
"""With continuation lines, which are indented"""
OPTION = re.compile(r"(?<!\S)--[a-z-]+")
GLOBAL = {"--query", "--output", "--region", "--cli-input-json", "--cli-binary-format"}
SERVICES = {"s3api": "s3"}


def service(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(SERVICES.get(name, name))


def faults(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """What botocore does not check itself: enumerations, patterns and lengths."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from faults(shape.members[name], member, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for number, each in enumerate(value):
            yield from faults(shape.member, each, f"{path}[{number}]")
    elif isinstance(shape, MapShape):
        for name, each in value.items():
            yield from faults(shape.key, name, f"{path} {name}")
            yield from faults(shape.value, each, f"{path}.{name}")
    if shape.type_name in ("string", "list", "map"):
        limits = shape.metadata
        if not limits.get("min", 0) <= len(value) <= limits.get("max", len(value)):
            yield f"{path} is too long or too short"
    if shape.type_name == "string":
        if value not in shape.metadata.get("enum", [value]):
            yield f"{path} is none of {shape.metadata['enum']}"
        if not re.search(shape.metadata.get("pattern", ""), value):
            yield f"{path} does not match {shape.metadata['pattern']}"


def check(operation: str, request: Mapping[str, Any]) -> list[str]:
    shape = service("s3control").operation_model(operation).input_shape
    assert shape
    # The tools make a token if there is none.
    report = ParamValidator().validate({"ClientRequestToken": "x", **request}, shape)
    return [report.generate_report()] if report.has_errors() else list(faults(shape, request))


@pytest.mark.parametrize("request_", [documented("job.json"), rerun()], ids=["first", "again"])
def test_requests_are_those_of_create_job(request_: dict[str, Any]) -> None:
    assert check("CreateJob", request_) == []


def test_check_finds_what_the_model_forbids() -> None:
    request = documented("job.json")
    assert check("CreateJob", {**request, "Prioritaet": 1}) != []
    assert check("CreateJob", {**request, "RoleArn": "BatchRole"}) != []
    report = {**request["Report"], "ReportScope": "All"}
    assert check("CreateJob", {**request, "Report": report}) != []


def test_job_uses_what_its_report_and_the_function_need() -> None:
    """User arguments need version 2.0; results are only in a report of all tasks."""
    for request in (documented("job.json"), rerun()):
        operation = request["Operation"]["LambdaInvoke"]
        assert operation["InvocationSchemaVersion"] == "2.0"
        assert set(operation["UserArguments"]) <= {"top_k", "results"}
        assert request["Report"]["ReportScope"] == "AllTasks"
        assert "ManifestGenerator" in request or "Manifest" in request


def test_commands_have_the_options_of_the_services() -> None:
    commands = COMMAND.findall(PAGE.read_text("utf-8"))
    assert {name for _, name, _ in commands} >= {"create-job", "describe-job"}
    for name, operation, options in commands:
        if name == "s3":  # made by the CLI itself, of several operations
            continue
        shape = service(name).operation_model(operation.title().replace("-", "")).input_shape
        assert shape
        known = {f"--{xform_name(each, '-')}" for each in shape.members} | GLOBAL
        used = {each.replace("--no-", "--") for each in OPTION.findall(options)}
        assert used <= known, f"{name} {operation}"


def test_options_of_the_report_reader_exist() -> None:
    known = script("local/batch_report.py", "--help").stdout
    used = re.findall(r"batch_report\.py ([^\n]*)", PAGE.read_text("utf-8"))
    assert used
    for option in re.findall(r"(?<!\S)--[a-z]+", " ".join(used)):
        assert f"  {option}" in known or f"{option} " in known
