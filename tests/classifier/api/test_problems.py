"""The types of problems: stable, documented, and one for each error."""

import re
from collections.abc import Iterator

import httpx
import pytest

from classifier import errors
from classifier.api.pages.docs import problem_types
from classifier.errors import ServiceError

SLUGS = [
    "malformed-multipart", "invalid-event", "unauthorized", "key-not-offered", "not-found",
    "object-not-found", "method-not-allowed", "body-timeout", "object-too-large",
    "too-many-images", "too-many-pixels", "too-much-memory", "too-slow-to-decode",
    "upload-too-large", "unsupported-body", "unsupported-format", "invalid-key",
    "invalid-parameter", "no-image", "unreadable-image", "internal-error", "store-unavailable",
    "queue-full", "too-many-uploads",
]  # fmt: skip
"""Programs compare them: a type is never renamed."""


def subclasses(base: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for each in base.__subclasses__():
        yield each
        yield from subclasses(each)


def test_types_are_stable() -> None:
    assert sorted(each.slug for each in problem_types()) == sorted(SLUGS)


def test_each_type_has_one_status() -> None:
    for documented in problem_types():
        same = [
            each for each in subclasses(ServiceError) if vars(each).get("slug") == documented.slug
        ]
        assert same == [documented]


def test_the_page_documents_each_type(client: httpx.Client) -> None:
    page = client.get("/problems")
    assert page.status_code == 200
    assert set(re.findall(r'<section id="([^"]+)">', page.text)) == set(SLUGS)


@pytest.mark.parametrize(
    ("request_", "slug"),
    [
        (("GET", "/nothing", {}), "not-found"),
        (("PUT", "/", {}), "method-not-allowed"),
        (("POST", "/", {}), "no-image"),
        (("POST", "/?top_k=0", {}), "invalid-parameter"),
        (("POST", "/", {"json": {}}), "unsupported-body"),
        (("POST", "/", {"files": {"file": b"none"}}), "unsupported-format"),
        (("POST", "/", {"files": {"file": b"\xff\xd8\xff"}}), "unreadable-image"),
        (("POST", "/", {"files": {"file": b""}}), "no-image"),
        (("POST", "/", {"files": [("file", b"x")] * 33}), "too-many-images"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_programs_tell_problems_apart_by_their_type(
    client: httpx.Client, request_: tuple[str, str, dict[str, object]], slug: str
) -> None:
    method, path, options = request_
    problem = client.request(method, path, **options).json()  # type: ignore[arg-type]
    assert problem["type"] == f"/problems#{slug}"
    (kind,) = [each for each in problem_types() if each.slug == slug]
    assert problem["status"] == kind.status


def test_one_of_several_images_keeps_its_type(client: httpx.Client, sample: bytes) -> None:
    problem = client.post("/", files=[("file", sample), ("file", b"none")]).json()
    assert problem["type"] == problem["results"][1]["type"] == "/problems#unsupported-format"


def test_errors_are_all_in_one_module() -> None:
    assert {each.__module__ for each in subclasses(ServiceError)} == {errors.__name__}
