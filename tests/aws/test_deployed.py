"""Stacks of the template in moto: what exists, and that its parts fit together.

moto's CloudFormation has no API Gateway, function URL and its permissions, event configuration,
bucket policy and CodeDeploy; `test_template.py` has what is tested of them.
"""

import json
from itertools import combinations
from typing import Any

import pytest

from tests.support.cloudformation import Cloud

# of resources that moto does not have
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")

EMAIL = "operator@example.com"
COLUMNS = 24
"""Of CloudWatch's grid"""

Json = dict[str, Any]


def alarms(cloud: Cloud) -> dict[str, Json]:
    """By logical id, which is a part of the name."""
    found = cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {each["AlarmName"].split("-")[1]: each for each in found}


def dimensions(alarm: Json) -> dict[str, str]:
    (metric,) = [
        each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each
    ] or [alarm]
    return {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}


def expressions(alarm: Json) -> list[str]:
    return [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]


@pytest.mark.parametrize("endpoint", ["HttpApi", "FunctionUrl"])
def test_by_default_there_are_no_alarms(cloud: Cloud, endpoint: str) -> None:
    ids = cloud.deploy(Endpoint=endpoint)
    assert {"Classifier", "ClassifierAliaslive", "Images", "FailedEvents", "Logs"} <= set(ids)
    assert alarms(cloud) == {}
    assert cloud.client("sns").list_topics()["Topics"] == []
    assert cloud.client("cloudwatch").list_dashboards()["DashboardEntries"] == []


@pytest.mark.parametrize("endpoint", ["HttpApi", "FunctionUrl"])
def test_an_address_gets_alarms_of_this_function_and_this_queue(
    cloud: Cloud, endpoint: str
) -> None:
    ids = cloud.deploy(AlarmEmail=EMAIL, Endpoint=endpoint)
    function = ids["Classifier"]
    queue = ids["FailedEvents"].rpartition("/")[2]
    found = alarms(cloud)
    assert {name: dimensions(each) for name, each in found.items()} == {
        "FailureAlarm": {"FunctionName": function},
        "ThrottleAlarm": {"FunctionName": function},
        "SlowAlarm": {"function": function},
        "StoreAlarm": {"function": function, "kind": "Store"},
        "InternalAlarm": {"function": function, "kind": "Internal"},
        "FailedEventAlarm": {"QueueName": queue},
        "CostAlarm": {},  # of the account
    }
    for each in found.values():
        assert each["AlarmActions"] == [ids["AlarmTopic"]]
        assert each["TreatMissingData"] == "notBreaching"
        assert each["AlarmDescription"].endswith(".")


def test_the_address_is_subscribed(cloud: Cloud) -> None:
    ids = cloud.deploy(AlarmEmail=EMAIL)
    (subscription,) = cloud.client("sns").list_subscriptions()["Subscriptions"]
    assert subscription["TopicArn"] == ids["AlarmTopic"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", EMAIL)


def test_thresholds_follow_from_the_parameters(cloud: Cloud) -> None:
    ids = cloud.deploy(
        AlarmEmail=EMAIL,
        MemorySize="3538",
        Model="efficientnet-lite2",
        ReservedConcurrency="50",
    )
    found = alarms(cloud)
    assert expressions(found["SlowAlarm"]) == ["infer * 3538 / 1769"]
    assert found["SlowAlarm"]["Threshold"] == 90
    assert expressions(found["CostAlarm"]) == ["100 * used / 50"]
    assert found["CostAlarm"]["Threshold"] == 80
    assert dimensions(found["CostAlarm"]) == {"FunctionName": ids["Classifier"]}


def test_another_threshold_and_another_model(cloud: Cloud) -> None:
    ids = cloud.deploy(AlarmEmail=EMAIL, SlowMilliseconds="250", OwnModel="models/flowers/v3")
    assert alarms(cloud)["SlowAlarm"]["Threshold"] == 250
    function = cloud.client("lambda").get_function_configuration(FunctionName=ids["Classifier"])
    assert function["Environment"]["Variables"]["MODEL_DIR"] == "s3://models/flowers/v3"
    policy = cloud.client("iam").get_role_policy(RoleName=ids["Role"], PolicyName="own-model")
    assert "arn:aws:s3:::models/flowers/v3/*" in str(policy["PolicyDocument"])


def test_the_dashboard_is_of_this_stack(cloud: Cloud) -> None:
    ids = cloud.deploy(AlarmEmail=EMAIL)
    client = cloud.client("cloudwatch")
    (entry,) = client.list_dashboards()["DashboardEntries"]
    text = client.get_dashboard(DashboardName=entry["DashboardName"])["DashboardBody"]
    assert "${" not in text
    widgets = json.loads(text)["widgets"]
    listed = {arn for each in widgets for arn in each["properties"].get("alarms", [])}
    assert listed == {each["AlarmArn"] for each in alarms(cloud).values()}
    graphs = [each["properties"] for each in widgets if each["type"] == "metric"]
    assert all(each["title"] and each["region"] == "eu-central-1" for each in graphs)
    names = json.dumps(graphs)
    assert ids["Classifier"] in names
    assert ids["FailedEvents"].rpartition("/")[2] in names


def test_widgets_do_not_overlap(cloud: Cloud) -> None:
    ids = cloud.deploy(AlarmEmail=EMAIL)
    found = cloud.client("cloudwatch").get_dashboard(DashboardName=ids["Dashboard"])
    widgets = json.loads(found["DashboardBody"])["widgets"]
    for first, second in combinations(widgets, 2):
        assert _apart(first, second, "x", "width") or _apart(first, second, "y", "height")
    assert all(each["x"] + each["width"] <= COLUMNS for each in widgets)


def _apart(first: Json, second: Json, start: str, size: str) -> bool:
    return bool(
        first[start] + first[size] <= second[start] or second[start] + second[size] <= first[start]
    )


@pytest.mark.parametrize(("tracing", "policies"), [("PassThrough", 1), ("Active", 2)])
def test_the_role_may_write_traces_only_if_they_are_asked_for(
    cloud: Cloud, tracing: str, policies: int
) -> None:
    ids = cloud.deploy(Tracing=tracing)
    iam = cloud.client("iam")
    names = iam.list_role_policies(RoleName=ids["Role"])["PolicyNames"]
    assert len(names) == policies
    documents = [
        str(iam.get_role_policy(RoleName=ids["Role"], PolicyName=name)["PolicyDocument"])
        for name in names
    ]
    assert any("xray:PutTraceSegments" in each for each in documents) is (tracing == "Active")


def test_parameters_reach_the_function_and_its_version(cloud: Cloud) -> None:
    ids = cloud.deploy(ApiKey="secret-of-mine", MemorySize="512", Release="2026-11-26")
    client = cloud.client("lambda")
    function = client.get_function_configuration(FunctionName=ids["Classifier"])
    assert function["Environment"]["Variables"]["API_KEY"] == "secret-of-mine"
    assert function["MemorySize"] == 512
    alias = client.get_alias(FunctionName=ids["Classifier"], Name="live")
    version = client.get_function_configuration(
        FunctionName=ids["Classifier"], Qualifier=alias["FunctionVersion"]
    )
    assert version["Description"].startswith("512 MB 29 s 512 MB INFO PassThrough ")
    assert "2026-11-26" in version["Description"]
    assert "secret" not in version["Description"]
