"""Requests at the edge of HTTP/1.1 (`http_corpus.py`), with both parsers of uvicorn."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config

from classifier.server.timeouts import MAX_HEAD_BYTES
from classifier.settings import Settings
from tests.classifier.server.fake_clock import (
    Connection,
    FakeClockLoop,
    Scenario,
    configured,
    run,
    settle,
)
from tests.classifier.server.http_corpus import CORPUS, SECOND, Case, Outcome
from tests.support import raw
from tests.support.server import Server, serving

_PARSERS: Final = ("httptools", "h11")

_PROBE: Final = raw.get("/nothing", "Connection: close")

_GONE: Final = b""

_CHUNKED: Final = raw.post("image/png", "Transfer-Encoding: chunked")

_EXPECTING: Final = raw.post("image/png", "Content-Length: 5", "Expect: 100-continue")


@pytest.fixture(scope="module", params=_PARSERS)
def uvicorn(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "log", "--http", request.param) as running:
        yield running


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_service_responds_as_the_rfc_allows(uvicorn: Server, case: Case) -> None:
    """Where the connection stays open, the next request gets its response."""
    with raw.connection(uvicorn.url) as client:
        client.sendall(case.sent)
        received: list[bytes] = []
        while (outcome := _outcome(case, received)) is None:
            response = raw.next_response(client)
            assert response, (case.section, received)
            received.append(response)
        if outcome.refusals:
            _assert_problem(received[-1])
        if outcome.closes:
            assert raw.next_response(client) == _GONE
        else:
            with suppress(ConnectionError):  # if it may close the connection
                client.sendall(_PROBE)
            last = raw.next_response(client)
            assert raw.status(last) == 404 if last else outcome.closes is None
            assert raw.next_response(client) == _GONE


def _outcome(case: Case, received: list[bytes]) -> Outcome | None:
    """The outcome that is complete, if any."""
    statuses = [raw.status(response) for response in received]
    for outcome in case.outcomes:
        expected = [{seen.status} for seen in outcome.seen]
        if outcome.refusals:
            expected.append(set(outcome.refusals))
        same = [status in allowed for status, allowed in zip(statuses, expected, strict=False)]
        if len(statuses) == len(expected) and all(same):
            return outcome
    return None


def _assert_problem(response: bytes) -> None:
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head.lower()
    assert b"\r\ncontent-type: application/problem+json" in head.lower()
    problem = json.loads(body)
    assert problem["status"] == raw.status(response)
    assert problem["detail"].endswith((".", "/docs."))


# Bytes


class Recorder:
    """An application that reads each body, and records what it has seen."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.headers: list[tuple[str, str]] = []
        self.reads = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body() if self.reads else b""
        self.seen.append((request.method, request.url.path, body))
        self.headers = request.headers.items()
        await JSONResponse({})(scope, receive, send)


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module", params=_PARSERS)
def config(request: pytest.FixtureRequest, recorder: Recorder) -> Config:
    return configured(recorder, Settings(), parser=request.param)


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_no_byte_of_a_body_is_a_request(config: Config, recorder: Recorder, case: Case) -> None:
    _assert_allowed(config, recorder, case, [case.sent])


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_segments_do_not_matter(config: Config, recorder: Recorder, case: Case) -> None:
    """Given one byte at a time."""
    _assert_allowed(config, recorder, case, [bytes([byte]) for byte in case.sent])


@pytest.mark.parametrize(
    "case", [case for case in CORPUS if case.section == "RFC 9110 7.8"], ids=str
)
def test_upgrades_are_ignored_in_any_two_segments(
    config: Config, recorder: Recorder, case: Case
) -> None:
    for end in range(1, len(case.sent)):
        _assert_allowed(config, recorder, case, [case.sent[:end], case.sent[end:]])


@pytest.fixture
def trial(config: Config) -> Callable[[Scenario], None]:
    """Runs a scenario with the recorder."""
    return lambda scenario: run(lambda loop: scenario(loop, lambda: Connection(loop, config)))


def test_trailers_do_not_reach_the_application(
    trial: Callable[[Scenario], None], recorder: Recorder
) -> None:
    """They could pass for headers that a proxy in front has checked (RFC 9110, section 6.5.1)."""

    async def scenario(loop: FakeClockLoop, connect: Callable[[], Connection]) -> None:
        client = connect()
        await client.send(_CHUNKED + b"5\r\nabcde\r\n")
        await client.send(b"0\r\nAuthorization: Bearer x\r\n\r\n")
        assert raw.status(client.received) == 200
        assert "authorization" not in dict(recorder.headers)

    trial(scenario)


@pytest.mark.parametrize("start", [b"5;", b"5;a=", b"0\r\n", b"0\r\nX: "])
def test_endless_chunk_extension_or_trailer_is_refused(
    trial: Callable[[Scenario], None], start: bytes
) -> None:
    async def scenario(loop: FakeClockLoop, connect: Callable[[], Connection]) -> None:
        client = connect()
        await client.send(_CHUNKED + start)
        for _ in range(MAX_HEAD_BYTES // 1024):
            assert not client.received
            await client.send(b"x" * 1024)
        await client.send(b"x" * 1024)
        assert raw.status(client.received) == 431
        assert client.transport.has_ended

    trial(scenario)


def test_bytes_between_chunks_are_not_added_up(trial: Callable[[Scenario], None]) -> None:
    async def scenario(loop: FakeClockLoop, connect: Callable[[], Connection]) -> None:
        client = connect()
        await client.send(_CHUNKED)
        for _ in range(4):
            await client.send(b"1;" + b"x" * (MAX_HEAD_BYTES // 2) + b"\r\nx\r\n")
        await client.send(b"0\r\n\r\n")
        assert raw.status(client.received) == 200

    trial(scenario)


def test_malformed_chunk_after_an_early_response_closes(
    trial: Callable[[Scenario], None], recorder: Recorder
) -> None:
    """A second response would pass for that to the next request."""

    async def scenario(loop: FakeClockLoop, connect: Callable[[], Connection]) -> None:
        client = connect()
        recorder.reads = False
        await client.send(_CHUNKED)
        recorder.reads = True
        assert raw.status(client.received) == 200
        await client.send(b"malformed\r\n" + SECOND)
        assert client.received.count(b"HTTP/1.1") == 1
        assert client.is_closed or client.transport.has_ended

    trial(scenario)


def test_expected_continue_is_sent_when_the_application_reads(
    trial: Callable[[Scenario], None],
) -> None:
    async def scenario(loop: FakeClockLoop, connect: Callable[[], Connection]) -> None:
        client = connect()
        await client.send(_EXPECTING)
        assert client.received == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"abcde" + SECOND)
        assert client.received.count(b"HTTP/1.1 200") == 2
        assert not client.is_closed

    trial(scenario)


def test_response_instead_of_continue_closes(
    trial: Callable[[Scenario], None], recorder: Recorder
) -> None:
    """The client may or may not send the body, which could pass for a request."""

    async def scenario(loop: FakeClockLoop, connect: Callable[[], Connection]) -> None:
        client = connect()
        recorder.reads = False
        await client.send(_EXPECTING)
        recorder.reads = True
        assert raw.status(client.received) == 200
        assert b"\r\nconnection: close\r\n" in client.received.lower()
        assert client.is_closed or client.transport.has_ended

    trial(scenario)


def test_http_1_0_gets_no_interim_response(trial: Callable[[Scenario], None]) -> None:
    """RFC 9110, section 15.2"""

    async def scenario(loop: FakeClockLoop, connect: Callable[[], Connection]) -> None:
        client = connect()
        await client.send(_EXPECTING.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert client.received == b""
        await client.send(b"abcde")
        assert raw.status(client.received) == 200

    trial(scenario)


def _assert_allowed(config: Config, recorder: Recorder, case: Case, segments: list[bytes]) -> None:
    async def scenario(loop: FakeClockLoop) -> None:
        client = Connection(loop, config)
        for segment in segments:
            client.transport.deliver(segment)
            for _ in range(3):
                await asyncio.sleep(0)
        await settle()
        assert any(_matches(outcome, recorder, client) for outcome in case.outcomes), (
            case.section,
            recorder.seen,
            client.received,
        )
        client.transport.abort()

    recorder.seen = []
    run(scenario)


def _matches(outcome: Outcome, recorder: Recorder, client: Connection) -> bool:
    written = client.received.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    statuses = [int(part[:3]) for part in written.split(b"HTTP/1.1 ")[1:]]
    refused = statuses[len(outcome.seen) :]
    return (
        recorder.seen == [(seen.method, seen.path, seen.body) for seen in outcome.seen]
        and statuses[: len(outcome.seen)] == [200] * len(outcome.seen)
        and len(refused) == bool(outcome.refusals)
        and outcome.refusals.issuperset(refused)
        and outcome.closes in (None, client.is_closed or client.transport.has_ended)
    )
