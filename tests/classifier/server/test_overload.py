"""More requests than the service can answer: some are refused, and nothing else fails.

The thread that classifies is held (see `tests.support.held`), so that which requests are accepted
does not depend on how fast the machine is. `make overload` measures times.
"""

import asyncio
from collections import Counter
from pathlib import Path

import httpx

from tests.classifier.server.clients import Clients, image, request
from tests.support import raw
from tests.support.held import serving_held
from tests.support.metrics import Scrape
from tests.support.server import Server
from tests.support.wait import HANG_SECONDS, wait_until


def test_requests_beyond_the_queue_get_503(tmp_path: Path) -> None:
    """Given a busy thread and a queue for 3 images: of 20 requests at once 3 are accepted, and
    none of those is lost."""
    with (
        serving_held(tmp_path / "log", THREADS="1", QUEUE="3") as server,
        Clients(server.url) as clients,
    ):
        first = clients.post(image(0))
        server.gate.next()
        burst = [clients.post(image(number)) for number in range(1, 21)]

        def is_decided() -> bool:
            scrape = Scrape(server.client)
            return scrape.in_flight + scrape.answered(503) == 21

        wait_until(is_decided, "acceptance or refusal of every request")
        health = server.client.get("/healthz")
        during = Scrape(server.client)

        server.gate.open()
        assert raw.status(raw.answer(first)) == 200
        responses = [raw.answer(each) for each in burst]
        after = Scrape(server.client)
        late = raw.answer(clients.post(image(0)))

    assert health.status_code == 200
    assert during.in_flight == 1 + 3
    assert during.answered(503) == during.value("rejected_total") == 17
    assert Counter(map(raw.status, responses)) == {200: 3, 503: 17}
    refusals = [each.lower() for each in responses if raw.status(each) == 503]
    assert all(b"\r\nretry-after: 1\r\n" in each for each in refusals)
    assert all(b"application/problem+json" in each for each in refusals)
    assert after.in_flight == 0
    assert raw.status(late) == 200


def test_accepted_requests_are_classified_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    """Each is answered when it is done, and those behind it wait on."""
    numbers = range(5)
    with (
        serving_held(tmp_path / "log", THREADS="1", QUEUE="100") as server,
        Clients(server.url) as clients,
    ):
        waiting = []
        for number in numbers:
            waiting.append(clients.post(image(number)))
            wait_until(
                lambda: Scrape(server.client).in_flight == len(waiting), "an accepted request"
            )
        for number in numbers:
            held = server.gate.next()
            assert held.data == image(number)
            assert not any(map(raw.is_readable, waiting[number:]))
            held.release()
            assert raw.status(raw.answer(waiting[number])) == 200


def test_who_is_refused_is_so_before_the_body_is_sent(tmp_path: Path) -> None:
    """Given one request with three images, of which one is being classified and two fill the
    queue. When one of them leaves the queue, there is room again."""
    with (
        serving_held(tmp_path / "log", THREADS="1", QUEUE="2") as server,
        Clients(server.url) as clients,
    ):
        many = clients.post(image(0), image(1), image(2))
        held = server.gate.next()
        late = clients.connect()
        late.sendall(raw.post("image/png", "Content-Length: 1000000"))
        assert raw.status(late.recv(65536)) == 503

        held.release()
        server.gate.next()
        later = clients.post(image(3))
        wait_until(lambda: Scrape(server.client).in_flight == 2, "an accepted request")
        server.gate.open()
        assert raw.status(raw.answer(many)) == 200
        assert raw.status(raw.answer(later)) == 200


def test_a_queue_that_fills_while_the_body_arrives_refuses_the_request(tmp_path: Path) -> None:
    with (
        serving_held(tmp_path / "log", THREADS="1", QUEUE="1") as server,
        Clients(server.url) as clients,
    ):
        slow = clients.connect()
        message = request(image(0))
        slow.sendall(message[:-1])
        wait_until(lambda: Scrape(server.client).in_flight == 1, "an accepted head")
        accepted = [clients.post(image(1))]
        server.gate.next()
        accepted.append(clients.post(image(2)))
        wait_until(lambda: Scrape(server.client).in_flight == 3, "a full queue")

        slow.sendall(message[-1:])
        assert raw.status(raw.answer(slow)) == 503
        server.gate.open()
        assert [raw.status(raw.answer(each)) for each in accepted] == [200, 200]


def test_a_burst_that_fits_the_queue_is_answered(server: Server, sample: bytes) -> None:
    """100 at once, with the settings as they come."""

    async def burst() -> list[int]:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(limits=limits, timeout=HANG_SECONDS) as client:
            posts = (client.post(server.url, files={"file": sample}) for _ in range(100))
            return [each.status_code for each in await asyncio.gather(*posts)]

    assert asyncio.run(burst()) == [200] * 100


def test_what_nobody_waits_for_is_not_done(tmp_path: Path) -> None:
    """Given 30 requests that wait behind one and fill the queue: when their clients disconnect,
    they leave the queue, and their images are never decoded."""
    with (
        serving_held(tmp_path / "log", THREADS="1", QUEUE="30") as server,
        Clients(server.url) as clients,
    ):
        first = clients.post(image(0))
        held = server.gate.next()
        with Clients(server.url) as leaving:
            for number in range(1, 31):
                leaving.post(image(number))
            wait_until(lambda: Scrape(server.client).in_flight == 31, "a full queue")
            assert raw.status(raw.answer(clients.post(image(31)))) == 503
        wait_until(lambda: Scrape(server.client).answered(499) == 30, "30 disconnects")

        last = clients.post(image(32))
        wait_until(lambda: Scrape(server.client).in_flight == 2, "an accepted request")
        held.release()
        assert raw.status(raw.answer(first)) == 200
        second = server.gate.next()
        assert second.data == image(32)
        second.release()
        assert raw.status(raw.answer(last)) == 200
        assert Scrape(server.client).decoded == 2
        log = server.log.read_text()
    assert log.count('"status":499') == 30
