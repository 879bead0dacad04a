"""Puts timeouts into the uvicorn that runs this process."""

import sys

from classifier.server.admission import Admission
from classifier.server.hangups import Hangups
from classifier.server.timeouts import TimeoutMixin
from classifier.settings import Settings


def install(settings: Settings, admission: Admission | None = None) -> None:
    """Use the protocols with timeouts, with `settings`, for all connections of this process's
    uvicorn. Where requests have to wait for `admission`, their bodies are not read.

    uvicorn has no setting for these timeouts, and has chosen its protocol class before it imports
    the application. So that `uvicorn main:app` is protected without `--http`, instances of its
    classes are made as instances of the subclasses.
    """
    TimeoutMixin.settings = settings
    TimeoutMixin.admission = admission
    TimeoutMixin.hangups = Hangups()
    if "uvicorn.protocols.http.httptools_impl" in sys.modules:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        from classifier.server.protocol import TimeoutProtocol

        _replace(HttpToolsProtocol, TimeoutProtocol)
    if "uvicorn.protocols.http.h11_impl" in sys.modules:
        from uvicorn.protocols.http.h11_impl import H11Protocol

        from classifier.server.h11_protocol import H11TimeoutProtocol

        _replace(H11Protocol, H11TimeoutProtocol)


def _replace(base: type, subclass: type) -> None:
    def new(cls: type, *arguments: object, **options: object) -> object:
        return object.__new__(subclass if cls is base else cls)

    base.__new__ = new  # type: ignore[assignment]
