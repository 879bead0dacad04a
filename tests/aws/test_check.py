"""`make aws-check`: the real boto3 against moto, over HTTP."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws_check.__main__ import aws_check
from local.aws_check.parameters import Config, given_values, read_samconfig, read_template, refusals
from local.common.cli import UsageError
from tests.support.aws_account import Quotas
from tests.support.aws_profile import ASKING, UNREADABLE, profile_environment
from tests.support.cloudformation import IMAGE, STACK, Cloud, aws_server, defaults, source
from tests.support.make import make
from tests.support.ports import free_port
from tests.support.scripts import script
from tests.support.server import serving

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")

REQUEST = (
    "aws service-quotas request-service-quota-increase --service-code lambda "
    "--quota-code L-B99A9384 --desired-value 1000 --region eu-central-1"
)


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[str, Quotas]]:
    quotas = Quotas()
    with aws_server(quotas.around) as address:
        yield address, quotas


@pytest.fixture
def quotas(shared: tuple[str, Quotas], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Quotas:
    """Those of an empty account, which the environment points to."""
    address, quotas = shared
    Cloud(address).reset()
    vars(quotas).update(vars(Quotas()))
    for name, value in environment(address, tmp_path).items():
        monkeypatch.setenv(name, value)
    return quotas


def environment(address: str, home: Path) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Status and report, in one line."""
    status = aws_check(arguments)
    return status, " ".join(capsys.readouterr().out.split())


def row(report: str, name: str) -> list[str]:
    cells = report[report.index(f"| {name} |") :].split(" | ")
    return [cell.strip() for cell in cells[1:4]]


@pytest.mark.usefixtures("quotas")
def test_the_defaults_fit_an_ordinary_account(capsys: pytest.CaptureFixture[str]) -> None:
    status, report = run(capsys)
    assert status == 0
    assert report.startswith("Account 123456789012 in eu-central-1: 1000 concurrent executions")
    assert "NO" not in report
    assert "does not fit" not in report


def test_the_defaults_fit_a_new_account_with_a_warning(
    quotas: Quotas, capsys: pytest.CaptureFixture[str]
) -> None:
    quotas.concurrency = 10
    status, report = run(capsys)
    assert status == 0
    assert "10 concurrent executions are the quota of a new account" in report
    assert REQUEST in report


def test_no_reservation_fits_a_new_account(
    quotas: Quotas, capsys: pytest.CaptureFixture[str]
) -> None:
    quotas.concurrency = 10
    status, report = run(capsys, "ReservedConcurrency=50")
    assert status == 1
    assert row(report, "ReservedConcurrency") == ["50", "0", "NO"]
    assert "ReservedConcurrency=50 does not fit: The account has 10 executions;" in report
    assert "Deploy with ReservedConcurrency=-1, or request more:" in report
    assert report.count(REQUEST) == 1


@pytest.mark.parametrize(("asked", "status"), [(700, 0), (701, 1)])
def test_other_functions_reservations_count(
    quotas: Quotas, asked: int, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    quotas.reserved = 200
    found, report = run(capsys, f"ReservedConcurrency={asked}")
    assert found == status
    assert row(report, "ReservedConcurrency")[1] == "700"
    if status:
        assert "other functions have reserved 200" in report
        assert "--desired-value 1001 " in report


def test_what_the_stack_has_reserved_is_free_for_it_and_its_parameters_stay(
    quotas: Quotas, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = Cloud(os.environ["AWS_ENDPOINT_URL"])
    cloud.deploy_template(
        {
            "Classifier": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Code": {"ImageUri": IMAGE},
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "ReservedConcurrentExecutions": 600,
                },
            },
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17"}},
            },
        },
        MemorySize="512",
        Retired="yes",
    )
    quotas.reserved = 600
    status, report = run(capsys, "--stack", STACK, "ReservedConcurrency=900")
    assert (status, row(report, "MemorySize")[0]) == (0, "512")
    assert run(capsys, "--stack", STACK, "ReservedConcurrency=901")[0] == 1
    assert run(capsys, "--stack", "another", "ReservedConcurrency=301")[0] == 1


@pytest.mark.usefixtures("quotas")
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            ["ProvisionedConcurrency=6", "ReservedConcurrency=5"],
            "Provisioned environments are a part of ReservedConcurrency, 5.",
        ),
        (["ProvisionedConcurrency=901"], "Deploy with ProvisionedConcurrency=900"),
        (["MemorySize=100"], "The template refuses it: it must be 512 or more."),
        (["MemorySize=big"], "it must be a whole number"),
        (["Endpoint=Rest"], "it must be one of HttpApi, FunctionUrl"),
        (["MemorySize=512.5"], "it must be a whole number"),
        (["MemorySize=\u0665\u0661\u0662"], "it must be a whole number"),
        (["MemorySize=" + "1" * 5000], "it may have at most 4096 characters."),
        (["ThrottleRate=0.5"], "it must be 1 or more"),
        (["ThrottleRate=fast"], "it must be a number"),
        (["ApiKey=" + "k" * 5000], "it may have at most 4096 characters."),
        (["CorsOrigins=example.com"], "it must be * or origins without a path"),
        (["AlarmEmail=nobody"], "it must be an e-mail address or empty"),
        (
            ["Deployment=Canary10Percent5Minutes"],
            "The parameters do not fit together: A gradual Deployment is stopped by alarms",
        ),
    ],
)
def test_what_cannot_be_deployed_does_not_fit(
    asked: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report = run(capsys, *asked)
    assert status == 1
    assert sentence in report


@pytest.mark.usefixtures("quotas")
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["ReservedConcurrency=0"], "0 stops the function"),
        (["Timeout=60"], "An HTTP API waits 30 s"),
        (["Endpoint=FunctionUrl"], "only they limit its cost"),
        (["ReservedConcurrency=5"], "5 executions serve at most 50 requests per second"),
        (["ThrottleRate=10001"], "All APIs of the account together may get 10000"),
        (
            ["ThrottleBurst=5001"],
            "may get 10000 requests per second in this region, and 5000 at once",
        ),
        (["ThrottleRate=1.5", "SlowMilliseconds=12.5"], "| ThrottleRate | 1.5 | 10000 | yes |"),
    ],
)
def test_what_may_surprise_is_said_and_fits(
    asked: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report = run(capsys, *asked)
    assert status == 0
    assert sentence in report


def test_regions_have_quotas_for_apis(quotas: Quotas, capsys: pytest.CaptureFixture[str]) -> None:
    quotas.http_rate, quotas.http_burst = 2500, 1250
    status, report = run(capsys, "ThrottleRate=2501", "ThrottleBurst=1250")
    assert status == 0
    assert row(report, "ThrottleRate") == ["2501", "2500", "see below"]
    assert row(report, "ThrottleBurst") == ["1250", "1250", "yes"]
    report = run(capsys, "Endpoint=FunctionUrl", "ThrottleRate=2501")[1]
    assert "Throttle" not in report


ONLY = "The quota of the account is 3008 MB."
OFTEN = "New accounts often may use 3008 MB only."


@pytest.mark.parametrize(
    ("account", "asked", "sentence"),
    [
        ((3008, 1000), 3009, ONLY),
        ((3008, 1000), 3008, ""),
        ((10_240, 1000), 4096, ""),
        ((10_240, 10), 4096, OFTEN),
        ((None, 1000), 4096, OFTEN),
    ],
)
def test_memory(
    quotas: Quotas,
    account: tuple[int | None, int],
    asked: int,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    quotas.memory, quotas.concurrency = account
    status, report = run(capsys, f"MemorySize={asked}")
    assert status == int(sentence == ONLY)
    assert [each for each in (ONLY, OFTEN) if each in report] == [sentence] * bool(sentence)


def test_optional_permissions_are_noted(quotas: Quotas, capsys: pytest.CaptureFixture[str]) -> None:
    quotas.refused = {
        "ListServiceQuotas": (400, "AccessDeniedException"),
        "DescribeStacks": (403, "AccessDenied"),
        "GetAccount": (403, "AccessDeniedException"),
    }
    status, report = run(capsys)
    assert status == 0
    assert "servicequotas:ListServiceQuotas failed (AccessDeniedException)" in report
    assert "apigateway:GET failed (AccessDeniedException)" in report
    assert "APIs are taken to get 10000 requests per second." in report
    assert "the stack 'image-classifier' is taken to be new." in report


@pytest.mark.parametrize(
    ("operation", "error", "sentence"),
    [
        (
            "GetAccountSettings",
            (403, "AccessDeniedException"),
            "The credentials lack the permission lambda:GetAccountSettings: not allowed",
        ),
        ("GetCallerIdentity", (403, "ExpiredToken"), "AWS refuses the credentials: not allowed"),
        ("GetAccountSettings", (400, "Strange"), "AWS refuses lambda:GetAccountSettings"),
    ],
)
def test_needed_permissions_are_named(
    quotas: Quotas, operation: str, error: tuple[int, str], sentence: str
) -> None:
    quotas.refused = {operation: error}
    with pytest.raises(UsageError, match=sentence):
        aws_check([])


@pytest.mark.usefixtures("quotas")
@pytest.mark.parametrize(
    ("without", "arguments", "sentence"),
    [
        ("AWS_ACCESS_KEY_ID", [], "There are no AWS credentials."),
        ("AWS_DEFAULT_REGION", [], "There is no region."),
        ("", ["--profile", "work"], "The config profile .work. could not be found"),
        ("", ["MemorySize"], "'MemorySize' is not Name=Value"),
        ("", ["Memory=512"], "The template has no parameter 'Memory'. It has Endpoint,"),
        ("", ["--config-env", "prod"], "samconfig.toml has no section 'prod'"),
    ],
)
def test_usage(
    without: str, arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without:
        monkeypatch.delenv(without)
    with pytest.raises(UsageError, match=sentence):
        aws_check(arguments)


@pytest.mark.usefixtures("quotas")
def test_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UsageError, match=r"AWS does not respond.*Is the region right\?"):
        aws_check([])


@pytest.mark.usefixtures("quotas")
def test_response_of_another_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(tmp_path / "log") as other:
        monkeypatch.setenv("AWS_ENDPOINT_URL", str(other.client.base_url))
        with pytest.raises(UsageError, match="A response is not one of AWS"):
            aws_check([])


@pytest.mark.usefixtures("quotas")
def test_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    with pytest.raises(UsageError, match="AWS cannot be queried: Invalid endpoint: nowhere"):
        aws_check([])


@pytest.mark.parametrize(("profile", "reason"), [*UNREADABLE, ASKING])
def test_credentials_that_cannot_be_read(profile: str, reason: str, tmp_path: Path) -> None:
    done = script("-m", "local.aws_check", environment=profile_environment(tmp_path, profile))
    assert (done.returncode, done.stdout) == (2, "")
    *before, line = done.stderr.splitlines()
    assert reason in line
    assert before == [] or reason == ASKING[1]
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("quotas")
def test_the_key_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "ApiKey=secret of mine")[0] == 1
    assert aws_check(["ApiKey=secret of mine"]) == 1
    assert "secret" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        'parameter_overrides = "MemorySize=512 CorsOrigins=\\"https://a.example\\""',
        'parameter_overrides = ["MemorySize=512", "CorsOrigins=https://a.example"]',
        'parameter_overrides = {MemorySize = 512, CorsOrigins = "https://a.example"}',
        'parameter_overrides = "ParameterKey=MemorySize,ParameterValue=512 '
        'ParameterKey=CorsOrigins,ParameterValue=https://a.example"',
    ],
)
def test_samconfig_in_each_form(text: str, tmp_path: Path) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text(
        '[default.global.parameters]\nstack_name = "photos"\nregion = "us-east-1"\n'
        f'[default.deploy.parameters]\nregion = "eu-north-1"\n{text}\n'
    )
    config = read_samconfig("default", file)
    assert config.overrides == {"MemorySize": "512", "CorsOrigins": "https://a.example"}
    assert (config.stack, config.region) == ("photos", "eu-north-1")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version = 0.1", "has no section 'version'"),
        ("version = ", "is not TOML"),
        ("\xff", "is not UTF-8"),
        ('version.global.parameters.region = ["eu-central-1"]', "region of samconfig.toml must be"),
        (
            'version.deploy.parameters.parameter_overrides = "ApiKey=\'x"',
            "must be Name=Value pairs",
        ),
        ("version.deploy.parameters.parameter_overrides = 5", "must be Name=Value pairs"),
    ],
)
def test_unusable_samconfig(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=re.escape(sentence)):
        read_samconfig("version", file)


@pytest.mark.parametrize("text", ["version.deploy = 5", "version.deploy.parameters = []"])
def test_samconfig_without_parameters(text: str, tmp_path: Path) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text(text)
    assert read_samconfig("version", file) == Config({})


def test_arguments_replace_all_overrides_as_those_of_sam() -> None:
    template, overrides = read_template(), {"MemorySize": "512", "ThrottleRate": "7"}
    assert given_values(template, overrides, []) == overrides
    assert given_values(template, overrides, ["MemorySize=1024"]) == {"MemorySize": "1024"}


def test_the_template_is_read_as_cloudformation_reads_it() -> None:
    template = read_template()
    assert template["Parameters"] == source()["Parameters"]
    assert template["Rules"] == source()["Rules"]
    assert refusals(template, defaults(template)) == {}


def test_the_command_and_its_status(shared: tuple[str, Quotas], tmp_path: Path) -> None:
    variables = environment(shared[0], tmp_path)
    done = script("-m", "local.aws_check", "ProvisionedConcurrency=5000", environment=variables)
    assert (done.returncode, done.stderr) == (1, "")
    assert "| ProvisionedConcurrency | " in done.stdout
    done = script("-m", "local.aws_check", "ApiKey", environment=variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: 'ApiKey' is not Name=Value (see --help)\n"


def test_make_passes_the_values() -> None:
    planned: subprocess.CompletedProcess[str] = make(
        "--dry-run", "aws-check", "ARGS=MemorySize=512"
    )
    assert "python -m local.aws_check MemorySize=512" in planned.stdout
