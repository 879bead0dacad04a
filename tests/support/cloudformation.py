"""The template as CloudFormation gets it, and stacks of it in moto, over real HTTP."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import boto3
import httpx
from botocore.config import Config
from moto.awslambda.models import lambda_backends
from moto.cloudformation import parsing
from moto.cloudwatch.models import (
    Dimension,
    Metric,
    MetricDataQuery,
    MetricStat,
    cloudwatch_backends,
)
from moto.core.common_models import CloudFormationModel
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse
from werkzeug.serving import make_server

from local.aws_check.parameters import broken_rules
from tests.support.paths import ROOT
from tests.support.threads import serving_in_thread
from tests.support.wait import HANG_SECONDS

Json = dict[str, Any]

REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"
STACK: Final = "photos"
IMAGE: Final = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/classifier:1"
"""What `sam deploy` writes into the template"""

_SESSION: Final = boto3.Session("test", "test", region_name=REGION)

_NO_VALUE: Final = {"Ref": "AWS::NoValue"}


def source() -> Json:
    """template.yaml; functions in their long form."""
    parsed = yaml_parse((ROOT / "template.yaml").read_text())
    template: Json = json.loads(json.dumps(parsed))
    return template


def transform(**parameters: str) -> Json:
    """The template after AWS::Serverless, for a stack with `parameters`."""
    template = source()
    template["Resources"]["Classifier"]["Properties"]["ImageUri"] = IMAGE
    transformed: Json = Translator({}, Parser(), boto_session=_SESSION).translate(
        template, {**defaults(template), **parameters}
    )
    return transformed


def defaults(template: Json) -> dict[str, str]:
    return {name: str(each["Default"]) for name, each in template["Parameters"].items()}


def decide(template: Json, parameters: Mapping[str, str]) -> Json:
    """`template` with its conditions decided: the resources and outputs that exist, and the values
    that are chosen. CloudFormation leaves out `AWS::NoValue` in lists, moto does not."""
    values = {**defaults(template), **parameters}
    conditions = _Conditions(template["Conditions"], values)
    decided: Json = _choose({**template, "Conditions": {}}, conditions)
    return {**decided, "Conditions": template["Conditions"]}


class _Conditions:
    def __init__(self, conditions: Json, values: Mapping[str, str]) -> None:
        self._conditions = conditions
        self._values = values

    def __getitem__(self, name: str) -> bool:
        return self.holds(self._conditions[name])

    def holds(self, condition: Json) -> bool:
        ((function, operands),) = condition.items()
        match function:
            case "Fn::Equals":
                first, second = (self._value(each) for each in operands)
                return first == second
            case "Fn::Not":
                return not self.holds(operands[0])
            case "Fn::And":
                return all(map(self.holds, operands))
            case "Fn::Or":
                return any(map(self.holds, operands))
            case "Condition":
                return self[operands]
        raise AssertionError(f"unknown function {function}")

    def _value(self, operand: Any) -> str:
        return self._values[operand["Ref"]] if isinstance(operand, dict) else str(operand)


def _choose(value: Any, conditions: _Conditions) -> Any:
    if isinstance(value, list):
        chosen = [_choose(each, conditions) for each in value]
        return [each for each in chosen if each != _NO_VALUE]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::If"}:
        name, yes, no = value["Fn::If"]
        return _choose(yes if conditions[name] else no, conditions)
    kept = {}
    for key, each in value.items():
        if _is_absent(each, conditions):
            continue
        chosen = _choose(each, conditions)
        if chosen != _NO_VALUE:
            kept[key] = chosen
    return kept


def _is_absent(value: Any, conditions: _Conditions) -> bool:
    """Whether it is a resource or an output whose condition does not hold."""
    name = value.get("Condition") if isinstance(value, dict) else None
    return isinstance(name, str) and not conditions[name]


def rules_broken(**parameters: str) -> list[str]:
    """The sentences with which CloudFormation refuses `parameters`."""
    template = source()
    return broken_rules(template, {**defaults(template), **parameters})


class _Model:
    """The common part of the resource types below. moto's CloudFormation supports some of them in
    part, and the others not at all. moto finds the direct subclasses of its own model."""

    TYPE: ClassVar[str]
    NAME: ClassVar[str] = ""
    """The property that names a resource; empty if none does"""

    def __init__(self, identifier: str, **attributes: str) -> None:
        self.physical_resource_id = identifier
        self._attributes = attributes

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in ("Arn", "Version")

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self._attributes[attribute_name]

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @classmethod
    def cloudformation_name_type(cls) -> str:
        return cls.NAME

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> Self:
        return cls.create(resource_name, cloudformation_json["Properties"], account_id, region_name)

    @classmethod
    def create(cls, name: str, given: Any, account: str, region: str) -> Self:
        """The resource with the properties `given`, in moto's services."""
        raise NotImplementedError


class _Alarm(_Model, CloudFormationModel):
    TYPE = "AWS::CloudWatch::Alarm"
    NAME = "AlarmName"

    @classmethod
    def create(cls, name: str, given: Any, account: str, region: str) -> Self:
        alarm = cloudwatch_backends[account][region].put_metric_alarm(
            name=name,
            description=given["AlarmDescription"],
            namespace=given.get("Namespace"),
            metric_name=given.get("MetricName"),
            dimensions=given.get("Dimensions", []),
            statistic=given.get("Statistic"),
            period=given.get("Period"),
            metric_data_queries=[_query(each) for each in given.get("Metrics", [])],
            evaluation_periods=given["EvaluationPeriods"],
            threshold=float(given["Threshold"]),
            comparison_operator=given["ComparisonOperator"],
            treat_missing_data=given["TreatMissingData"],
            alarm_actions=given["AlarmActions"],
        )
        return cls(name, Arn=alarm.alarm_arn)


def _query(given: Json) -> MetricDataQuery:
    query: Any = MetricDataQuery  # moto's annotations leave out that most may be None
    stat = given.get("MetricStat")
    found: MetricDataQuery = query(
        query_id=given["Id"],
        label=given.get("Label"),
        period=None,
        return_data=given.get("ReturnData", True),
        expression=given.get("Expression"),
        metric_stat=_stat(stat) if stat else None,
    )
    return found


def _stat(given: Json) -> MetricStat:
    metric = given["Metric"]
    dimensions = [Dimension(each["Name"], each["Value"]) for each in metric.get("Dimensions", [])]
    stat: Any = MetricStat
    found: MetricStat = stat(
        Metric(metric["MetricName"], metric["Namespace"], dimensions),
        given["Period"],
        given["Stat"],
        None,
    )
    return found


class _Version(_Model, CloudFormationModel):
    TYPE = "AWS::Lambda::Version"

    @classmethod
    def create(cls, name: str, given: Any, account: str, region: str) -> Self:
        version = lambda_backends[account][region].publish_version(
            given["FunctionName"], given["Description"]
        )
        assert version
        return cls(version.function_arn, Version=str(version.version))


class _Alias(_Model, CloudFormationModel):
    TYPE = "AWS::Lambda::Alias"
    NAME = "Name"

    @classmethod
    def create(cls, name: str, given: Any, account: str, region: str) -> Self:
        alias = lambda_backends[account][region].create_alias(
            name=given["Name"],
            function_name=given["FunctionName"],
            function_version=given["FunctionVersion"],
            description="",
            routing_config="",
        )
        return cls(alias.arn)


for _cached in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
    _cached.cache_clear()


Application = Callable[[Json, Callable[..., Any]], Iterable[bytes]]


@contextmanager
def aws_server(around: Callable[[Application], Application] = lambda moto: moto) -> Iterator[str]:
    """moto, with an application `around` it, on a free loopback port; yields its address."""
    application = around(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    with serving_in_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"


@dataclass(frozen=True)
class Cloud:
    """An account in moto at `address`."""

    address: str

    def reset(self) -> None:
        """Empty the account."""
        httpx.post(f"{self.address}/moto-api/reset", timeout=HANG_SECONDS).raise_for_status()

    def client(self, service: str) -> Any:
        # Without retries: the first of two requests would have created the resource.
        config = Config(read_timeout=HANG_SECONDS, retries={"total_max_attempts": 1})
        return _SESSION.client(  # type: ignore[call-overload]
            service, endpoint_url=self.address, config=config
        )

    def deploy(self, **parameters: str) -> dict[str, str]:
        """Create the stack; returns the physical ids by logical id, where moto has them."""
        template = decide(transform(**parameters), parameters)
        for name in ("UrlPermission", "UrlInvokePermission"):
            template["Resources"].pop(name, None)  # moto's permissions are not for function URLs
        del template["Outputs"]  # the address of a type that moto does not have
        self._create(template, parameters)
        found = self.client("cloudformation").describe_stack_resources(StackName=STACK)
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in found["StackResources"]
            if "PhysicalResourceId" in each
        }

    def deploy_template(self, resources: Json, **parameters: str) -> None:
        """Create a stack of other `resources` and `parameters`."""
        known = {name: {"Type": "String"} for name in parameters}
        self._create({"Parameters": known, "Resources": resources}, parameters)

    def _create(self, template: Json, parameters: Mapping[str, str]) -> None:
        self.client("cloudformation").create_stack(
            StackName=STACK,
            TemplateBody=json.dumps(template),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
