"""template.yaml: parameters, rules, versions, alarms and what the documentation says of them."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from classifier.errors import InternalError, StoreError
from classifier.origins import parse_origins
from classifier.telemetry.emf import NAMESPACE, EmbeddedMetrics
from tests.support.cloudformation import decide, rules_broken, source, transform
from tests.support.paths import ROOT
from tests.support.tools import SAM, needs

PAGE = (ROOT / "docs" / "aws.md").read_text("utf-8")
EMAIL = "operator@example.com"
GRADUAL = "Canary10Percent5Minutes"

# They change the image, and SAM publishes a version for each image.
IN_THE_IMAGE = {"Architecture", "Model"}
# They are no properties of a version.
NOT_IN_A_VERSION = {"ReservedConcurrency", "ProvisionedConcurrency", "Deployment"}
# They are secret or too long; their descriptions say so.
WITH_A_RELEASE = {"ApiKey", "OwnModel"}

Json = dict[str, Any]


def parameters() -> dict[str, Json]:
    found: dict[str, Json] = source()["Parameters"]
    return found


def references(value: object) -> set[str]:
    """The names in `Ref` and `Fn::Sub` within `value`."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    if isinstance(value.get("Ref"), str):
        return {value["Ref"]}
    substituted = value.get("Fn::Sub", "")
    text = substituted[0] if isinstance(substituted, list) else substituted
    return set(re.findall(r"\$\{([\w:]+)", text)) | references(list(value.values()))


def test_the_transformed_template_is_clean(tmp_path: Path) -> None:
    everything = {
        "Endpoint": "FunctionUrl",
        "AlarmEmail": EMAIL,
        "Deployment": GRADUAL,
        "Tracing": "Active",
        "ReservedConcurrency": "50",
    }
    files = [tmp_path / "defaults.json", tmp_path / "everything.json"]
    for file, chosen in zip(files, ({}, everything), strict=True):
        file.write_text(json.dumps(transform(**chosen)))
    command = [
        str(Path(sys.executable).with_name("cfn-lint")),
        *("--ignore-checks", "W7001"),  # the transform has read the mapping
        *("--", *map(str, files)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_parameter_has_a_default_and_a_description() -> None:
    for name, each in parameters().items():
        assert "Default" in each, name
        assert each["Description"], name
        assert ("ConstraintDescription" in each) is ("AllowedPattern" in each), name


def test_the_page_has_every_parameter_with_its_default() -> None:
    table = PAGE[PAGE.index("| parameter | default |") : PAGE.index("The address is public")]
    listed: dict[str, str] = {}
    for row in table.splitlines()[2:]:
        if row:
            names, values = row.split(" | ")[:2]
            listed |= zip(re.findall(r"`(\w+)`", names), values.split(", "), strict=True)
    empty = {"none", "empty"}
    expected = {name: str(each["Default"]) for name, each in parameters().items()}
    assert set(listed) == set(expected)
    for name, value in listed.items():
        assert ("" if value in empty else value.strip("`")) == expected[name], name


def test_only_the_key_is_hidden_and_it_goes_nowhere_but_to_the_function() -> None:
    hidden = {name for name, each in parameters().items() if each.get("NoEcho")}
    assert hidden == {"ApiKey"}
    template = source()
    variables = template["Resources"]["Classifier"]["Properties"]["Environment"]["Variables"]
    assert variables.pop("API_KEY") == {"Ref": "ApiKey"}
    assert "ApiKey" not in references(template)


def test_every_change_of_the_function_publishes_a_version() -> None:
    """CloudFormation replaces a version whose description changes; at most 256 characters."""
    properties = source()["Resources"]["Classifier"]["Properties"]
    description = properties.pop("VersionDescription")["Fn::Sub"]
    configured = references(properties) & set(parameters())
    described = references({"Fn::Sub": description})
    assert described == configured - IN_THE_IMAGE - NOT_IN_A_VERSION - WITH_A_RELEASE
    for name in WITH_A_RELEASE:
        assert "change Release as well" in parameters()[name]["Description"]
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Lambda::Version")
    assert "/properties/Description" in schema.schema["createOnlyProperties"]
    longest = description
    for name in described:
        longest = longest.replace(f"${{{name}}}", "x" * _longest(parameters()[name]))
    assert len(longest) <= 256


def _longest(parameter: Json) -> int:
    if "AllowedValues" in parameter:
        return max(len(str(value)) for value in parameter["AllowedValues"])
    if "MaxValue" in parameter:
        return len(str(parameter["MaxValue"]))
    if "MaxLength" in parameter:
        return int(parameter["MaxLength"])
    assert parameter["AllowedPattern"] == "^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$"  # of a bucket
    return 63


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"Deployment": GRADUAL}, "stopped by alarms, so it needs AlarmEmail"),
        (
            {"ReservedConcurrency": "0", "ProvisionedConcurrency": "1"},
            "so ProvisionedConcurrency must be 0",
        ),
    ],
)
def test_combinations_that_cannot_work_are_refused(chosen: dict[str, str], sentence: str) -> None:
    (broken,) = rules_broken(**chosen)
    assert sentence in broken


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"Deployment": GRADUAL, "AlarmEmail": EMAIL},
        {"ReservedConcurrency": "0"},
        {"ProvisionedConcurrency": "5"},
    ],
)
def test_other_combinations_are_accepted(chosen: dict[str, str]) -> None:
    assert rules_broken(**chosen) == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "*", "https://a.example", "HTTP://localhost:3000", "http://[::1]:8080"),
        *("https://a.example,https://b.example", "https://a.example , https://b.example,"),
        *("chrome-extension://abc", "https://a_b.example", "capacitor://localhost"),
        *("example.com", "https://a.example/", "https://a.example https://b.example", "*,*"),
        *("https://", "https://a.example:123456", "null", "https://*.example.com", "https://a b"),
    ],
)
def test_origins_are_refused_that_the_function_would_refuse(text: str) -> None:
    """It would not start."""
    try:
        parse_origins(text)
        valid = True
    except ValueError:
        valid = False
    assert bool(re.fullmatch(parameters()["CorsOrigins"]["AllowedPattern"], text)) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        *(("", True), ("a-Key_1|~!", True)),
        *(("{{resolve:secretsmanager:classifier-key}}", True), ("{{resolve:ssm:key:1}}", True)),
        ("{{resolve:secretsmanager:arn:aws:secretsmanager:r:1:secret:k:SecretString:key::}}", True),
        *(("{{resolve:secretmanager:classifier-key}}", False), ("{{secretsmanager:key}}", False)),
        *(("{resolve:secretsmanager:key}", False), ("{{resolve:secretsmanager:key}", False)),
        *(("{{ resolve:secretsmanager:key }}", False), ("{{resolve:secretsmanager:}}", False)),
        ("{{resolve:ssm-secure:key:1}}", False),  # not for variables of functions
        *(("a key", False), ("k\u00e9y", False), ("a\n", False)),
    ],
)
def test_a_misspelt_reference_is_no_key(text: str, valid: bool) -> None:
    """CloudFormation would deploy it as the key."""
    assert bool(re.fullmatch(parameters()["ApiKey"]["AllowedPattern"], text)) is valid


def test_lambda_may_read_the_queue_of_failed_events_whatever_the_timeout() -> None:
    """Lambda requires a visibility timeout of at least the function's timeout."""
    resources = source()["Resources"]
    seen = resources["FailedEvents"]["Properties"]["VisibilityTimeout"]
    assert seen == resources["Classifier"]["Properties"]["Timeout"] == {"Ref": "Timeout"}


@pytest.mark.parametrize(
    ("endpoint", "public"),
    [
        ("HttpApi", {"Api", "ApiApiGatewayDefaultStage", "ApiPermission"}),
        ("FunctionUrl", {"Url", "UrlPermission", "UrlInvokePermission"}),
    ],
)
def test_there_is_one_address(endpoint: str, public: set[str]) -> None:
    chosen = {"Endpoint": endpoint}
    resources = decide(transform(**chosen), chosen)["Resources"]
    assert {name for name in resources if name.startswith(("Api", "Url"))} == public


def test_scanners_can_read_every_policy() -> None:
    """checkov leaves out a whole policy, without a word, if one of its statements is an `Fn::If`. A
    policy may be one."""
    roles = [each for each in source()["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    policies = [
        policy["Fn::If"][1] if "Fn::If" in policy else policy
        for role in roles
        for policy in role["Properties"]["Policies"]
    ]
    assert len(policies) >= 2
    for policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow", policy["PolicyName"]
            assert statement["Action"] != "*"


def test_mappings_have_every_allowed_value() -> None:
    template = source()
    deployments = template["Mappings"]["Deployments"]
    assert list(deployments) == template["Parameters"]["Deployment"]["AllowedValues"]
    assert [name for name, each in deployments.items() if not each["Gradual"]] == ["AllAtOnce"]
    slow = template["Mappings"]["SlowInference"]
    assert list(slow) == template["Parameters"]["Model"]["AllowedValues"]


def test_slow_is_three_times_the_measured_warm_time() -> None:
    measured = ROOT / "docs" / "measured"
    sizes = json.loads((measured / "lambda.json").read_text())["sizes"]
    (warm,) = [size["warm_ms"] for size in sizes if size["memory_mb"] == 1769]
    models = json.loads((measured / "models.json").read_text())["models"]
    base = models["efficientnet-lite0"]["inference_ms"]
    for model, each in source()["Mappings"]["SlowInference"].items():
        usual = warm * models[model]["inference_ms"] / base
        assert 2 < each["Milliseconds"] / usual < 5, model


def test_no_codedeploy_by_default() -> None:
    template = transform()
    kinds = {each["Type"] for each in template["Resources"].values()}
    assert not any("CodeDeploy" in kind for kind in kinds)
    assert "UpdatePolicy" not in template["Resources"]["ClassifierAliaslive"]


def test_alarms_stop_a_gradual_deployment() -> None:
    chosen = {"Deployment": GRADUAL, "AlarmEmail": EMAIL}
    resources = decide(transform(**chosen), chosen)["Resources"]
    group = resources["ClassifierDeploymentGroup"]["Properties"]
    bound = {each["Name"]["Ref"] for each in group["AlarmConfiguration"]["Alarms"]}
    assert group["AlarmConfiguration"]["Enabled"]
    assert bound == {"FailureAlarm", "ThrottleAlarm", "SlowAlarm", "StoreAlarm", "InternalAlarm"}
    assert bound <= set(resources)
    assert GRADUAL in str(group["DeploymentConfigName"])
    policy = resources["ClassifierAliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert policy["DeploymentGroupName"] == {"Ref": "ClassifierDeploymentGroup"}


def alarms() -> dict[str, Json]:
    return {
        name: each["Properties"]
        for name, each in source()["Resources"].items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }


def metrics(value: object) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Namespace, name and dimensions of all metrics of alarms within `value`."""
    if isinstance(value, list):
        for each in value:
            yield from metrics(each)
    elif isinstance(value, dict):
        if "MetricName" in value:
            dimensions = value["Dimensions"]
            if isinstance(dimensions, dict):
                _, dimensions, _ = dimensions["Fn::If"]
            names = frozenset(each["Name"] for each in dimensions)
            yield value["Namespace"], value["MetricName"], names
        else:
            yield from metrics(list(value.values()))


def emitted() -> set[tuple[str, str, frozenset[str]]]:
    """The metrics that the function writes."""
    output = io.StringIO()
    writer = EmbeddedMetrics("classifier", output)
    writer.invocation_started("id")
    writer.observe_image(0.01, 0.02, 0.9, "JPEG")
    writer.count_error("Store")
    found = set()
    for line in output.getvalue().splitlines():
        for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]:
            for dimensions in directive["Dimensions"]:
                for metric in directive["Metrics"]:
                    found.add((directive["Namespace"], metric["Name"], frozenset(dimensions)))
    return found


def test_alarms_and_dashboard_read_metrics_that_the_function_writes() -> None:
    used = set(metrics(list(alarms().values()))) | set(graphs())
    own = {metric for metric in used if metric[0] == NAMESPACE}
    assert own <= emitted()
    assert {name for _, name, _ in own} == {name for _, name, _ in emitted()}


def test_alarms_have_the_kinds_of_errors_of_the_service() -> None:
    kinds = {
        dimension["Value"]
        for each in alarms().values()
        for dimension in each.get("Dimensions", [])
        if dimension["Name"] == "kind"
    }
    assert kinds == {StoreError.label, InternalError().kind}


def graphs() -> Iterator[tuple[str, str, frozenset[str]]]:
    body = json.loads(source()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    for widget in body["widgets"]:
        for namespace, *rest in widget["properties"].get("metrics", []):
            if isinstance(namespace, dict):
                found = re.search(r"\{(\w+),([\w,]+)\} MetricName=\"(\w+)\"", str(namespace))
                assert found
                yield found[1], found[3], frozenset(found[2].split(","))
            else:
                name, *pairs = [each for each in rest if isinstance(each, str)]
                yield namespace, name, frozenset(pairs[::2])


def test_the_dashboard_lists_all_alarms() -> None:
    body = source()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert set(re.findall(r"\$\{(\w+Alarm)\.Arn\}", body)) == set(alarms())


def test_the_page_lists_the_metrics_of_all_alarms() -> None:
    section = PAGE[PAGE.index("| alarm | metric |") : PAGE.index("## Monitoring") + 9999]
    listed = set(re.findall(r"`((?:AWS/)?\w+) (\w+)`", section.split("\n\n")[0]))
    used = {(namespace, name) for namespace, name, _ in metrics(list(alarms().values()))}
    assert listed == used
    assert "AlarmEmail` creates all seven" in PAGE
    assert len(alarms()) == 7


@needs(SAM)
def test_every_option_in_samconfig_is_one_of_its_command() -> None:
    program = Path(__file__).with_name("samconfig_options.py")
    python = Path(str(SAM.path())).with_name("python")
    done = subprocess.run(
        [python, program, ROOT / "samconfig.toml"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
