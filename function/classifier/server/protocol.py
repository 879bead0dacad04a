"""HTTP/1.1 with httptools: uvicorn's protocol with timeouts, and to the letter of RFC 9112."""

import re
from typing import Final

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from classifier.errors import (
    MalformedRequest,
    ServiceError,
    UnsupportedMethod,
    UnsupportedVersion,
)
from classifier.server.closing import is_small_body
from classifier.server.connection import CONNECTION_KEY
from classifier.server.heads import check_head, origin_form
from classifier.server.timeouts import TimeoutMixin

_UPGRADE: Final = frozenset({b"upgrade", b"http2-settings"})
"""Headers that offer another protocol; a server may ignore them (RFC 9110, section 7.8)."""

_METHOD: Final = re.compile(rb"[A-Za-z-]+ ")
"""The start of a request with a method that the parser may not know"""


class TimeoutProtocol(TimeoutMixin, HttpToolsProtocol):  # type: ignore[misc] # attributes' types
    """`uvicorn --http classifier.server.protocol:TimeoutProtocol` chooses it.
    `classifier.server.install` does so for a uvicorn that was started without the option."""

    def on_message_begin(self) -> None:
        self._head_starts()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body and not self._in_head:
            return  # a trailer; the application has the headers already
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self.parser
        version, method = parser.get_http_version(), parser.get_method()
        check_head(version, method, self.url, self.headers)
        if parser.should_upgrade():
            return  # `_parse` begins again, without the offer
        if not self.url.startswith(b"/"):
            self.url = origin_form(self.url, method)
        expects = self.expect_100_continue
        if expects and version == "1.0":
            expects = self.expect_100_continue = False
        self._head_ends()
        self.scope[CONNECTION_KEY] = self._watchable  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()
        cycle = self.cycle
        self._reusable = cycle.keep_alive and not self._final
        # Without "100 Continue", a body may or may not follow an early response.
        may_read_on = not expects and is_small_body(self.headers)
        cycle.keep_alive = self._reusable and may_read_on  # until the body has arrived

    def on_body(self, body: bytes) -> None:
        self._framing = 0
        cycle = self.cycle
        if cycle.body or cycle.response_complete:
            if isinstance(cycle.body, bytes):
                cycle.body = bytearray(cycle.body)
            super().on_body(body)
            return
        cycle.body = body  # uvicorn would copy it twice
        if len(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._body_ends()
        super().on_message_complete()
        cycle = self.cycle
        if cycle.response_complete:
            self._keep_alive()
        elif not cycle.response_started:
            cycle.keep_alive = self._reusable

    def _parse(self, data: bytes) -> None:
        try:
            rest = self._feed(data)
            while rest is not None:
                head = self._head_without_upgrade()
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.parser.feed_data(head)
                rest = self._feed(rest)
        except httptools.HttpParserError as error:
            self._refuse(self._fault(error, data))

    def _feed(self, data: bytes) -> bytes | None:
        """The data behind a head that offers to upgrade: httptools does not parse it."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return data[upgrade.args[0] :]
        return None

    def _head_without_upgrade(self) -> bytes:
        """The last head, as one that the parser takes for a usual request."""
        start = (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        headers = [b"%s: %s\r\n" % each for each in self.headers if each[0] not in _UPGRADE]
        return b"".join([b"%s %s HTTP/%s\r\n" % start, *headers, b"\r\n"])

    def _fault(self, error: httptools.HttpParserError, data: bytes) -> ServiceError:
        match error:
            case httptools.HttpParserCallbackError(__context__=ServiceError() as fault):
                return fault
            case httptools.HttpParserInvalidMethodError() if _METHOD.match(data):
                return UnsupportedMethod()
            case httptools.HttpParserInvalidURLError():
                return MalformedRequest("its target is invalid")
        if self.parser.get_method() == b"PRI":
            return UnsupportedVersion("2.0")
        return MalformedRequest(str(error))
