"""The parameter PhotoBucket in a stack of moto: the permissions on that bucket."""

import ast
from typing import Any

import pytest

from tests.support.cloudformation import Cloud

# of resources that moto does not have
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


def permissions(cloud: Cloud, role: str) -> dict[str, set[str]]:
    """The actions of each resource that the role names."""
    iam = cloud.client("iam")
    found: dict[str, set[str]] = {}
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for statement in ast.literal_eval(document)["Statement"]:  # moto's form
            for resource in as_list(statement["Resource"]):
                found.setdefault(resource, set()).update(as_list(statement["Action"]))
    return found


def as_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_bucket_of_photos_may_be_read_and_listed_in_jobs(cloud: Cloud) -> None:
    ids = cloud.deploy(PhotoBucket="my-photos")
    function = permissions(cloud, ids["Role"])
    read = {"s3:GetObject", "s3:GetObjectVersion"}
    assert {name: each for name, each in function.items() if "my-photos" in name} == {
        "arn:aws:s3:::my-photos/*": read
    }
    job = permissions(cloud, ids["BatchRole"])
    invoked = {name for name, each in job.items() if each == {"lambda:InvokeFunction"}}
    assert len(invoked) == 2
    assert all(":function:" in name for name in invoked)
    bucket = f"arn:aws:s3:::{ids['Images']}"
    assert {name: each for name, each in job.items() if name not in invoked} == {
        "arn:aws:s3:::my-photos/*": read,
        "arn:aws:s3:::my-photos": {"s3:PutInventoryConfiguration"},
        f"{bucket}/batch/*": {*read, "s3:PutObject"},
    }
    variables = cloud.client("lambda").get_function_configuration(FunctionName=ids["Classifier"])[
        "Environment"
    ]["Variables"]
    assert variables["PHOTO_BUCKET"] == "my-photos"


def test_by_default_there_is_no_bucket_of_photos(cloud: Cloud) -> None:
    ids = cloud.deploy()
    assert "BatchRole" not in ids
    objects = [name for name in permissions(cloud, ids["Role"]) if ":s3:::" in name]
    assert {name.rpartition("/")[2] for name in objects} == {"*"}
    assert {name.split("/")[1] for name in objects} == {"uploads", "incoming", "results"}
