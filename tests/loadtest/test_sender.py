"""One sender, in this process: timing, order, and what it reports."""

import gc
import math
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from httptools import HttpResponseParser

from local.common.paths import SAMPLE
from local.loadtest.engine import channel
from local.loadtest.engine.channel import Closed, channel_pair
from local.loadtest.engine.connection import HttpConnection
from local.loadtest.engine.response import Response
from local.loadtest.engine.sender import Job, Sender
from local.loadtest.payload import Payload, read_payloads
from local.loadtest.run import RECORD, Records, latency, lateness, service
from local.loadtest.target import HttpOptions, Target, http_target
from tests.support.stub import Stub
from tests.support.wait import HANG_SECONDS, wait_until


def target_of(url: str) -> Target:
    return http_target(url, read_payloads(SAMPLE))


class Parent:
    """The other end of a sender's channel."""

    def __init__(self) -> None:
        self.ours, self.theirs = channel_pair()
        self.records: Records = np.empty(0, RECORD)
        self.kinds = ["", "in flight"]
        self.ended = False

    def finish(self) -> None:
        """Receive everything that the sender has reported."""
        wait_until(self._has_all, "the end of the sender")
        self.ours.close()
        self.theirs.close()

    def _has_all(self) -> bool:
        try:
            for kind, content in self.ours.receive():
                if kind == channel.RECORDS:
                    new = np.frombuffer(content, RECORD)
                    self.records = np.concatenate([self.records, new])
                elif kind == channel.KIND:
                    self.kinds.append(content.decode())
                elif kind == channel.END:
                    self.ended = True
        except Closed:
            return True
        return self.ended


def send(
    target: Target,
    due: Sequence[float],
    *,
    share: int = 0,
    senders: int = 1,
    late: float = 0.0,
    meanwhile: Callable[[], object] = lambda: None,
) -> tuple[Parent, float]:
    """Run a sender whose run started `late` seconds ago, and `meanwhile` in another thread. Returns
    its parent, with all records, and the start."""
    parent = Parent()
    start = time.perf_counter() - late
    sender = Sender(
        parent.theirs, Job(target, np.array(due, np.float64), HANG_SECONDS, share, senders)
    )
    parent.ours.send(channel.START, channel.DOUBLE.pack(start))
    other = threading.Thread(target=meanwhile)
    other.start()
    sender.run()
    other.join()
    parent.finish()
    return parent, start


class Timed:
    """The numbers of the requests so far whose end, and whose first byte of the response, the
    sender has timed: shortly after the server knows."""

    def __init__(self) -> None:
        self.sent: set[int] = set()
        self.begun: set[int] = set()


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Timed:
    found, advance = Timed(), HttpConnection.advance

    def advance_and_note(connection: HttpConnection) -> int:
        waits_for = advance(connection)
        for time_of, numbers in (
            (connection.sent, found.sent),
            (connection.first_byte, found.begun),
        ):
            if not math.isnan(time_of):
                numbers.add(connection.index)
        return waits_for

    monkeypatch.setattr(HttpConnection, "advance", advance_and_note)
    return found


def test_delay_of_the_client_is_part_of_the_latency(stub: Stub) -> None:
    # given: three requests that were due half a second ago, at a server that takes 0.1 s
    parent, _ = send(target_of(f"{stub.url}/delay/0.1"), [0] * 3, late=0.5)
    records = parent.records
    assert records["failure"].tolist() == [0] * 3
    assert (lateness(records) >= 0.5).all()
    assert (service(records) >= 0.1).all()
    assert latency(records) == pytest.approx(lateness(records) + service(records))


def test_each_request_is_timed_by_its_own_response(stub: Stub, timed: Timed) -> None:
    # given: two requests in flight, whose responses are held
    released: list[float] = []

    def meanwhile() -> None:
        wait_until(lambda: len(stub.received) == 2 == len(timed.sent), "two requests")
        for name in ("first", "second"):
            released.append(time.perf_counter())
            stub.release(name)
            time.sleep(0.1)

    url = stub.follow("held/first", "held/second")
    parent, start = send(target_of(url), [0, 0], meanwhile=meanwhile)
    first, second = parent.records["ended"] + start
    assert released[0] <= first
    assert released[1] <= second
    assert (parent.records["sent"] + start <= released[0]).all()


def test_request_ends_with_the_last_byte_of_its_response(stub: Stub, timed: Timed) -> None:
    released: list[float] = []

    def meanwhile() -> None:
        wait_until(lambda: timed.begun, "half of the response")
        released.append(time.perf_counter())
        stub.release("rest")

    parent, start = send(target_of(f"{stub.url}/half/rest"), [0], meanwhile=meanwhile)
    (record,) = parent.records
    assert record["failure"] == 0
    assert record["first_byte"] + start < released[0] <= record["ended"] + start


def test_sender_sends_only_its_share(stub: Stub) -> None:
    parent, _ = send(target_of(stub.url), [0] * 9, share=1, senders=4)
    assert parent.records["request"].tolist() == [1, 5]
    assert len(stub.received) == 2


def test_images_are_sent_in_turn(stub: Stub) -> None:
    send(http_target(stub.url, [Payload(b"%d" % n, "image/png") for n in range(3)]), [0] * 6)
    bodies = sorted(request.body for request in stub.received)
    assert bodies == [b"0", b"0", b"1", b"1", b"2", b"2"]


def test_requests_are_built_within_a_second_before_they_are_due(stub: Stub) -> None:
    """So signatures do not grow old during a long run."""
    target = target_of(stub.url)
    built: list[float] = []

    def requests() -> Sequence[bytes]:
        built.append(time.perf_counter())
        return target.requests()

    signed = Target(target.name, target.address, requests, target.classify)

    def are_built_ahead() -> bool:
        built.clear()
        _, start = send(signed, [0, 1.5, 1.5])
        return any(0.5 <= at - start <= 1.5 for at in built)

    # A sender that does not run for a second builds them when it runs again.
    wait_until(are_built_ahead)


def test_requests_to_a_port_where_nothing_listens_are_refused(stub: Stub) -> None:
    target = target_of(stub.url)
    stub.close_listener()
    parent, _ = send(target, [0, 0, 0.01])
    assert [parent.kinds[number] for number in parent.records["failure"]] == ["refused"] * 3
    assert np.isnan(parent.records["connected"]).all()


def test_stop_ends_the_requests_that_are_due(stub: Stub) -> None:
    parent = Parent()
    sender = Sender(
        parent.theirs, Job(target_of(stub.url), np.array([0.0, 0, 600]), HANG_SECONDS, 0, 1)
    )
    parent.ours.send(channel.START, channel.DOUBLE.pack(time.perf_counter()))
    parent.ours.send(channel.STOP)
    sender.run()
    parent.finish()
    assert [parent.kinds[number] for number in parent.records["failure"]] == ["in flight"] * 2
    assert stub.received == []


def test_channel_does_not_wait_for_a_reader() -> None:
    ours, theirs = channel_pair()
    content = bytes(range(256)) * 40_000  # more than the system holds
    ours.send(channel.RECORDS, content)
    ours.send(channel.END, b"last")
    assert ours.has_unsent
    received: list[tuple[bytes, bytes]] = []
    while len(received) < 2:
        ours.push()
        received += theirs.receive()
    assert received == [(channel.RECORDS, content), (channel.END, b"last")]
    ours.close()
    with pytest.raises(Closed):
        list(theirs.receive())
    theirs.close()


@pytest.mark.parametrize("keep_alive", [False, True])
def test_responses_leave_no_garbage(stub: Stub, keep_alive: bool) -> None:
    """Senders have no garbage collection: what refers to itself would stay until their end."""
    url = stub.follow("delay/0", "delay/0", "cut", "garbage", "status/500")
    target = http_target(url, read_payloads(SAMPLE), HttpOptions(keep_alive=keep_alive))
    gc.collect()
    others = responses()
    gc.disable()
    try:
        parent, _ = send(target, [0, 0.1, 0.2, 0.3, 0.4])
        left = [one for one in responses() if one not in others]
    finally:
        gc.enable()
    assert len(parent.records) == 5
    assert left == []


def responses() -> list[object]:
    """All that exist, and their parsers."""
    return [one for one in gc.get_objects() if type(one) in (Response, HttpResponseParser)]
