"""Where completion reports and manifests are: files, folders and S3."""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from local.common.cli import UsageError
from local.completion.tasks import Entry, Task, parse_entries, parse_tasks

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

S3: Final = "s3://"
_CHUNK: Final = 1 << 20
_GZIP: Final = 31
"""zlib's number for the format of gzip"""


class Part(NamedTuple):
    """One file with rows; `md5` as the report's manifest.json has it."""

    name: str
    read: Callable[[], Iterator[bytes]]
    md5: str = ""

    def tasks(self) -> Iterator[Task]:
        """Raises `UsageError`, at the end also for a wrong checksum."""
        return parse_tasks(_lines(self._checked()), self.name)

    def entries(self, columns: Sequence[str]) -> Iterator[Entry]:
        """Raises `UsageError`."""
        chunks = self.read()
        return parse_entries(
            _lines(_unzipped(chunks) if self.name.endswith(".gz") else chunks), self.name, columns
        )

    def _checked(self) -> Iterator[bytes]:
        digest = hashlib.md5(usedforsecurity=False)
        for chunk in self.read():
            digest.update(chunk)
            yield chunk
        if self.md5 and digest.hexdigest() != self.md5:
            raise UsageError(
                f"{self.name} is not complete: its MD5 is not that of the report's manifest.json. "
                "Fetch it again."
            )


class Report(NamedTuple):
    """The report of one job."""

    name: str
    created: str
    """As ISO 8601; empty if there is no manifest.json"""
    parts: list[Part]


def find_reports(names: Sequence[str]) -> list[Report]:
    """The reports in files, folders and below `s3://` prefixes, oldest first. Files without their
    manifest.json belong to one job if they are in one folder. Raises `UsageError`."""
    store = Store()
    reports: list[Report] = []
    for name in names:
        for report in _s3_reports(store, name) if name.startswith(S3) else _local_reports(name):
            same = next((each for each in reports if each.name == report.name), None)
            if same:
                known = {part.name for part in same.parts}
                same.parts.extend(part for part in report.parts if part.name not in known)
            else:
                reports.append(report)
    if all(report.created for report in reports):
        reports.sort(key=lambda report: report.created)
    return reports


def find_entries(name: str) -> Iterator[Entry]:
    """The rows of a manifest: a CSV file, also compressed, or, in S3, the manifest.json of an
    inventory or of a generated manifest. Raises `UsageError`."""
    if not name.startswith(S3):
        if name.endswith(".json"):
            raise UsageError(
                f"{name!r} lists files that are in S3; give its address there: s3://…/manifest.json"
            )
        yield from Part(name, partial(_read, Path(name))).entries(("Bucket", "Key", "VersionId"))
        return
    store = Store()
    bucket, key = _split(name)
    if not key.endswith(".json"):
        yield from store.part(bucket, key).entries(("Bucket", "Key", "VersionId"))
        return
    listing = _parsed(b"".join(store.part(bucket, key).read()), name)
    try:
        columns = [column.strip() for column in listing["fileSchema"].split(",")]
        place = listing.get("destinationBucket", bucket).split(":")[-1]
        files = [file["key"] for file in listing["files"]]
        if not {"Bucket", "Key"} <= set(columns):
            raise KeyError("Key")
    except (KeyError, TypeError, AttributeError):
        raise UsageError(f"{name} is not the manifest.json of an inventory as CSV.") from None
    for file in files:
        yield from store.part(place, file).entries(columns)


class Store:
    """S3, with the usual settings of the AWS tools. Errors are `UsageError`."""

    def __init__(self) -> None:
        self._client: S3Client | None = None

    def part(self, bucket: str, key: str, md5: str = "") -> Part:
        name = f"{S3}{bucket}/{key}"

        def read() -> Iterator[bytes]:
            with _S3Errors(name):
                body = self._connected().get_object(Bucket=bucket, Key=key)["Body"]
                yield from body.iter_chunks(_CHUNK)

        return Part(name, read, md5)

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        with _S3Errors(f"{S3}{bucket}/{prefix}"):
            pages = self._connected().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                yield from (found["Key"] for found in page.get("Contents", []))

    def _connected(self) -> "S3Client":
        if self._client is None:
            try:
                import boto3
            except ImportError:
                raise UsageError(
                    "Reports in S3 need boto3: pip install -r requirements.txt"
                ) from None
            try:
                self._client = boto3.client("s3")
            except ValueError as error:  # AWS_ENDPOINT_URL, AWS_MAX_ATTEMPTS
                raise UsageError(f"A setting of AWS is invalid: {error}") from None
        return self._client


class _S3Errors:
    """Turns the errors of boto, and of credentials that cannot be read, into a `UsageError` that
    names the place."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EOFError):
            raise UsageError(
                "The AWS profile asks for an MFA code. Run this command in a terminal."
            ) from None
        if isinstance(error, OSError) or type(error).__module__.startswith(("botocore", "boto3")):
            reason = " ".join(str(error).split())
            raise UsageError(f"Cannot read {self._name}: {reason}") from None


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix(S3).partition("/")
    if not bucket:
        raise UsageError(f"{uri!r} names no bucket; write s3://bucket/prefix.")
    return bucket, key


def _s3_reports(store: Store, uri: str) -> Iterator[Report]:
    bucket, key = _split(uri)
    if key.endswith(".csv"):
        yield Report(f"{S3}{bucket}/{key.rpartition('/')[0]}", "", [store.part(bucket, key)])
        return
    if key.endswith("manifest.json"):
        keys: Iterable[str] = [key]
    else:
        prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
        keys = [each for each in store.keys(bucket, prefix) if each.endswith("manifest.json")]
    found = False
    for each in keys:
        name = f"{S3}{bucket}/{each}"
        listing = _parsed(b"".join(store.part(bucket, each).read()), name)
        if "Results" not in listing:  # of an inventory or a generated manifest
            continue
        found = True
        parts = [
            store.part(str(result["Bucket"]).split(":")[-1], result["Key"], result["MD5Checksum"])
            for result in _results(listing, name)
        ]
        yield Report(name.rpartition("/")[0], str(listing.get("ReportCreationDate", "")), parts)
    if not found:
        raise UsageError(
            f"{uri!r} has no completion report. A job writes it when it ends, below the prefix of "
            "its report: job-ID/manifest.json."
        )


def _local_reports(name: str) -> Iterator[Report]:
    path = Path(name)
    if not path.is_dir():
        if path.name.endswith(".json"):
            yield _local_report(path)
        else:
            yield Report(str(path.parent), "", [Part(name, partial(_read, path))])
        return
    listings = sorted(path.rglob("manifest.json"))
    if listings:
        yield from map(_local_report, listings)
        return
    files = sorted(path.rglob("*.csv"))
    if not files:
        raise UsageError(f"{name!r} has neither a manifest.json nor CSV files.")
    for file in files:
        yield from _local_reports(str(file))


def _local_report(path: Path) -> Report:
    """The files that belong to a copied manifest.json, in the folder `results` beside it."""
    listing = _parsed(b"".join(_read(path)), str(path))
    parts = []
    for result in _results(listing, str(path)):
        file = path.parent / "results" / str(result["Key"]).rpartition("/")[2]
        parts.append(Part(str(file), partial(_read, file), result["MD5Checksum"]))
    return Report(str(path.parent), str(listing.get("ReportCreationDate", "")), parts)


def _results(listing: dict[str, Any], name: str) -> list[dict[str, str]]:
    try:
        results = [
            {field: str(result[field]) for field in ("Bucket", "Key", "MD5Checksum")}
            for result in listing["Results"]
        ]
    except (KeyError, TypeError):
        raise UsageError(f"{name} is not the manifest.json of a completion report.") from None
    return results


def _parsed(content: bytes, name: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise UsageError(f"{name} is not JSON as S3 writes it.")
    return parsed


def _read(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise UsageError(f"Cannot read {str(path)!r}: {error.strerror}") from None


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines with their ends, of any number of chunks."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode() + "\n"
    if rest:
        yield rest.decode()


def _unzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of gzip's members, one after the other."""
    unzip = zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if unzip.eof:
                    unzip = zlib.decompressobj(_GZIP)
                yield unzip.decompress(rest)
                rest = unzip.unused_data
    except zlib.error as error:
        raise UsageError(f"A compressed manifest is damaged: {error}") from None
    if not unzip.eof:
        raise UsageError("A compressed manifest is cut off. Fetch it again.")
