"""Problem types: stable, documented, and one class for each."""

import re
from collections.abc import Iterator

import httpx
import pytest

from classifier import errors
from classifier.api.problem_types import problem_types
from classifier.errors import ServiceError

SLUGS = [
    "malformed-multipart", "malformed-json", "malformed-encoding", "unsupported-encoding",
    "invalid-json", "invalid-event", "unauthorized", "key-not-offered", "not-found",
    "object-not-found", "method-not-allowed", "body-timeout", "object-too-large",
    "object-unreadable",
    "too-many-images", "too-many-pixels", "too-much-memory", "too-slow-to-decode",
    "upload-too-large", "unsupported-body", "unsupported-format", "invalid-key",
    "invalid-parameter", "no-image", "unreadable-image", "unreadable-file", "internal-error",
    "store-unavailable",
    "queue-full", "too-many-uploads", "malformed-request", "unsupported-method",
    "unsupported-transfer-coding", "unsupported-http-version", "head-too-large", "head-timeout",
    "cross-origin-refused", "not-ready",
]  # fmt: skip
"""Clients compare these: a type is never renamed."""

JSON = {"content-type": "application/json"}
GZIP = {"content-encoding": "gzip"}
BR = {"content-encoding": "br"}


def subclasses(base: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for subclass in base.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def test_problem_types_are_stable() -> None:
    assert sorted(documented.slug for documented in problem_types()) == sorted(SLUGS)


def test_titles_are_the_same_in_every_version_of_python() -> None:
    """Python 3.13 has other phrases for two statuses than 3.12."""
    titles = {kind("").problem()["title"] for kind in (errors.UploadTooLarge, errors.NoImage)}
    assert titles == {"Content Too Large", "Unprocessable Content"}


def test_each_problem_type_has_one_class() -> None:
    for documented in problem_types():
        same = [
            error
            for error in subclasses(ServiceError)
            if vars(error).get("slug") == documented.slug
        ]
        assert same == [documented]


def test_problems_page_documents_each_type(client: httpx.Client) -> None:
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
        (
            ("POST", "/", {"content": b"", "headers": {"content-type": "video/mp4"}}),
            "unsupported-body",
        ),
        (("POST", "/", {"json": {}}), "invalid-json"),
        (("POST", "/", {"json": {"key": 1}}), "invalid-key"),
        (("POST", "/", {"content": b"{", "headers": JSON}), "malformed-json"),
        (("POST", "/", {"content": b"x", "headers": GZIP}), "malformed-encoding"),
        (("POST", "/", {"content": b"x", "headers": BR}), "unsupported-encoding"),
        (("POST", "/", {"files": {"file": b"none"}}), "unsupported-format"),
        (("POST", "/", {"files": {"file": b"\xff\xd8\xff"}}), "unreadable-image"),
        (("POST", "/", {"files": {"file": b""}}), "no-image"),
        (("POST", "/", {"files": [("file", b"x")] * 33}), "too-many-images"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_problem_has_its_type_and_status(
    client: httpx.Client, request_: tuple[str, str, dict[str, object]], slug: str
) -> None:
    method, path, options = request_
    problem = client.request(method, path, **options).json()  # type: ignore[arg-type]
    assert problem["type"] == f"/problems#{slug}"
    (documented,) = [error for error in problem_types() if error.slug == slug]
    assert problem["status"] == documented.status


def test_problem_of_one_image_keeps_its_type(client: httpx.Client, sample: bytes) -> None:
    problem = client.post("/", files=[("file", sample), ("file", b"none")]).json()
    assert problem["type"] == problem["results"][1]["type"] == "/problems#unsupported-format"


def test_all_errors_are_in_one_module() -> None:
    assert {error.__module__ for error in subclasses(ServiceError)} == {errors.__name__}
