"""Photos in a bucket: which ones may be classified, their outcomes, and their results in S3."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from classifier.api.service import Service
from classifier.aws_lambda.event_errors import MalformedEvent, OutOfTime
from classifier.classifier import Classification
from classifier.errors import (
    ImageError,
    InternalError,
    ObjectNotFound,
    ObjectUnreadable,
    StoreError,
    TooManyUploads,
    UploadError,
)
from classifier.outcome import DEFAULT_TOP_K, Outcome, result_json
from classifier.s3 import INCOMING

_MAX_REPLACEMENTS: Final = 5
"""Photos that are replaced faster than they are classified are left to a later event."""

_log = logging.getLogger(__name__)


class Photo(NamedTuple):
    """An object that an event names: the newest, or that `version`. `size` is in bytes, if the
    event has it."""

    bucket: str
    key: str
    version: str = ""
    size: int | None = None

    def __str__(self) -> str:
        version = f" (version {self.version})" if self.version else ""
        return f"s3://{self.bucket}/{self.key}{version}"

    @property
    def names_folder(self) -> bool:
        """Whether it is a folder if it is empty: consoles and tools create such objects."""
        return self.key.endswith("/")


class Skipped(Exception):
    """An object that is not meant to be classified, and the reason."""


class Folder(Skipped):
    """An empty object whose key ends with a slash."""


class _Seen(NamedTuple):
    """The outcome of the object with this `etag`, which is empty if there was none to be read."""

    outcome: Outcome
    etag: str


class Photos:
    """The photos that the function may read: its role decides which."""

    def __init__(self, service: Service, *, one_at_a_time: bool = False) -> None:
        """`one_at_a_time`: several threads have photos, and may wait for S3 at the same time. Each
        photo is classified by the same thread, whose memory is that of one."""
        self._service = service
        self._memory = service.memory
        self._room = threading.Condition()
        self._compute = ThreadPoolExecutor(1) if one_at_a_time else None
        self.model = service.classifier.model.card.name
        self._own = service.settings.bucket
        self._other = service.settings.photo_bucket

    def check_new(self, photo: Photo) -> None:
        """Raises `Skipped` for new objects that are folders, or neither in the bucket of photos nor
        in the function's own, below `incoming/`.

        Results are in its own bucket: to classify them would make the function call itself."""
        if photo.names_folder and photo.size == 0:
            raise Folder(f"{photo} is a folder")
        if self._own and photo.bucket == self._own:
            if photo.key.startswith(INCOMING):
                return
        elif self._other and photo.bucket == self._other:
            return
        places = [f"s3://{self._own}/{INCOMING}"] if self._own else []
        places += [f"s3://{self._other}/"] if self._other and self._other != self._own else []
        raise Skipped(
            f"{photo} is not in {' or '.join(places)}"
            if places
            else f"{photo} is in no bucket of this function: BUCKET and PHOTO_BUCKET are not set"
        )

    def classify(self, photo: Photo, top_k: int = DEFAULT_TOP_K) -> Outcome:
        """The classification, or the error that the photo will always have. Raises `Skipped` for an
        empty folder, and `StoreError`."""
        return self._see(photo, top_k).outcome

    def result(self, photo: Photo, outcome: Outcome) -> dict[str, Any]:
        """The result as JSON."""
        bucket = {} if photo.bucket == self._own else {"bucket": photo.bucket}
        return {**bucket, "key": photo.key, **result_json(outcome, self.model)}

    def response(self, outcome: Outcome) -> dict[str, Any]:
        """The response of the HTTP API."""
        return result_json(outcome, self.model)

    def write_result(self, photo: Photo, top_k: int = DEFAULT_TOP_K) -> tuple[str, Outcome]:
        """Classify a photo and write its result, whose key is returned, with the outcome.

        Events arrive twice and in any order, and photos are replaced. The last result is that of
        the newest photo: each call looks for a newer photo after it has written a result.
        A photo that was deleted meanwhile keeps its result.
        For an object that could not be read, two ETags in a row are compared: S3 may return the
        ETag of an archived object for HEAD, but not for GET.
        Raises `StoreError`, and `Skipped` for a folder.
        """
        if not self._own:
            raise Skipped(f"there is no place for the result of {photo}: BUCKET is not set")
        store = self._service.store
        before = ""
        for _ in range(_MAX_REPLACEMENTS):
            seen = self._see(photo, top_k)
            key = store.put_result(
                photo.bucket,
                photo.key,
                self.result(photo, seen.outcome),
                replace=not isinstance(seen.outcome, ObjectNotFound),
            )
            if photo.version:
                return key, seen.outcome
            newest = store.etag(photo.bucket, photo.key)
            if newest in ("", seen.etag or before):
                return key, seen.outcome
            before = newest
        raise StoreError(f"{photo} is replaced faster than it is classified.")

    def malformed(self, error: MalformedEvent) -> None:
        """Log and count a message that is no notification."""
        self._service.metrics.count_error(type(error).__name__)
        _log.error("%s", error)

    def failed(self, photo: object, error: Exception) -> None:
        """Log and count the failure of a photo that is to be tried again."""
        if isinstance(error, OutOfTime):
            _log.warning("%s: %s", photo, error)
            return
        if isinstance(error, StoreError):
            self._service.metrics.count_error(error.kind)
            _log.error("%s", error)
            return
        self._service.metrics.count_error(InternalError.label)
        _log.error("%s failed", photo, exc_info=error)

    def _see(self, photo: Photo, top_k: int) -> _Seen:
        etag = ""
        try:
            found = self._service.store.find(photo.key, bucket=photo.bucket, version=photo.version)
            etag = found.etag
            with self._room_for(found.size):
                data = found.read()
                if photo.names_folder and not data:
                    raise Folder(f"{photo} is a folder")
                return _Seen(self._classified(data, top_k), etag)
        except (ImageError, UploadError) as error:
            if error.counted:
                self._service.metrics.count_error(error.kind)
            if isinstance(error, ObjectUnreadable):
                _log.warning("%s", error)  # the message of the problem has less
            return _Seen(error.with_traceback(None), etag)  # its frames hold the photo

    def _classified(self, data: bytes, top_k: int) -> Classification:
        classify = self._service.classifier.classify
        if self._compute:
            return self._compute.submit(classify, data, top_k).result()
        return classify(data, top_k)

    @contextmanager
    def _room_for(self, size: int) -> Iterator[None]:
        """The memory for an object, which may have to wait for those of other threads. One that is
        too large for all of it is not read."""
        size = min(size, self._memory.bodies)
        with self._room:
            while not self._takes(size):
                self._room.wait()
        try:
            yield
        finally:
            self._memory.give_back_body(size)
            with self._room:
                self._room.notify_all()

    def _takes(self, size: int) -> bool:
        try:
            self._memory.take_body(size)
        except TooManyUploads:
            return False
        return True
