"""docs/bucket.md: its resources fit into the template, and its commands are valid."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.validate import ParamValidator

from classifier.errors import ServiceError
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "bucket.md").read_text("utf-8")
TEMPLATE = (ROOT / "template.yaml").read_text("utf-8")
RESOURCES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
PARTS = re.split(r"^## ", PAGE, flags=re.MULTILINE)


class _Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions."""


_Loader.add_multi_constructor(
    "!", lambda loader, suffix, node: {suffix: getattr(node, "value", None)}
)


def parsed(text: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(text, _Loader)
    return content


def test_resources_on_the_page_fit_into_the_template(tmp_path: Path) -> None:
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    together = tmp_path / "template.yaml"
    together.write_text(TEMPLATE.replace("\nResources:\n", f"\nResources:\n{''.join(RESOURCES)}"))
    done = subprocess.run(
        [str(cfn_lint), "--non-zero-exit-code", "informational", str(together)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_visibility_timeout_is_six_times_that_of_the_function() -> None:
    timeout = parsed(TEMPLATE)["Parameters"]["Timeout"]["Default"]
    (seen,) = re.findall(r"VisibilityTimeout: (\d+)", PAGE)
    assert int(seen) == 6 * timeout


def test_mappings_of_queues_report_batch_item_failures() -> None:
    """Without that, messages that failed are lost."""
    resources = [one for text in RESOURCES for one in parsed(text).values()]
    mappings = [one for one in resources if one["Type"] == "AWS::Lambda::EventSourceMapping"]
    assert len(mappings) == 2
    for mapping in mappings:
        assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_notifications_on_the_page_have_the_form_of_the_api() -> None:
    model = boto3.client("s3", region_name="eu-central-1").meta.service_model
    shape = model.operation_model("PutBucketNotificationConfiguration").input_shape
    assert shape
    configurations = re.findall(r"--notification-configuration '(.*?)'\n", PAGE, re.DOTALL)
    assert len(configurations) == 4
    for text in configurations:
        given = {"Bucket": "my-photos", "NotificationConfiguration": json.loads(text)}
        report = ParamValidator().validate(given, shape)
        assert not report.has_errors(), report.generate_report()


def test_payload_on_the_page_is_json() -> None:
    (payload,) = re.findall(r"--payload '(.*?)'", PAGE)
    assert set(json.loads(payload)) == {"key", "bucket", "top_k"}


def test_problem_in_the_example_exists() -> None:
    slugs = {kind.slug for kind in _subclasses(ServiceError) if hasattr(kind, "slug")}
    assert set(re.findall(r"`([a-z-]+): …`", PAGE)) <= slugs


def _subclasses(base: type[ServiceError]) -> list[type[ServiceError]]:
    return [each for kind in base.__subclasses__() for each in (kind, *_subclasses(kind))]


def test_commands_name_the_stack_that_sam_deploys() -> None:
    configuration = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    stack = configuration["default"]["global"]["parameters"]["stack_name"]
    assert set(re.findall(r"--stack-name (\S+)", PAGE)) == {stack}
    assert set(re.findall(r"[/:]([\w-]+)-(?:BatchRole|Classifier)-1ABC", PAGE)) == {stack}
