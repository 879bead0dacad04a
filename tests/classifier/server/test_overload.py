"""More requests than the service can handle: some are refused, and nothing else fails.

The classifying thread is blocked (see `tests.support.gate`), so the accepted requests do not depend
on the speed of the machine. `make overload` measures times.
"""

import asyncio
from collections import Counter
from pathlib import Path

import httpx

from tests.classifier.server.clients import Clients, image
from tests.support import raw
from tests.support.gate import serving_gated
from tests.support.metrics import Scrape
from tests.support.server import Server
from tests.support.wait import HANG_SECONDS, wait_until


def test_requests_beyond_the_queue_get_503(tmp_path: Path) -> None:
    """Given a blocked thread and a queue of 3 images, 3 of 20 parallel requests are accepted. The
    others wait for a second, with their bodies unread, and are refused; none is lost."""
    with (
        serving_gated(tmp_path / "log", THREADS="1", QUEUE="3") as server,
        Clients(server.url) as clients,
    ):
        first = clients.post(image(0))
        server.gate.next()
        burst = [clients.post(image(number)) for number in range(1, 21)]

        def are_all_decided() -> bool:
            scrape = Scrape(server.client)
            return scrape.finished(503) == 17

        wait_until(are_all_decided, "acceptance or refusal of every request")
        health = server.client.get("/healthz")
        during = Scrape(server.client)

        server.gate.open()
        assert raw.status(raw.response(first)) == 200
        responses = [raw.response(client) for client in burst]
        after = Scrape(server.client)
        late = raw.response(clients.post(image(0)))

    assert health.status_code == 200
    assert during.in_flight == 1 + 3
    assert during.finished(503) == during.value("rejected_total") == 17
    assert Counter(map(raw.status, responses)) == {200: 3, 503: 17}
    refusals = [response.lower() for response in responses if raw.status(response) == 503]
    assert all(b"\r\nretry-after: 1\r\n" in refusal for refusal in refusals)
    assert all(b"\r\nconnection: close\r\n" in refusal for refusal in refusals)
    assert all(b"application/problem+json" in refusal for refusal in refusals)
    assert after.in_flight == 0
    assert raw.status(late) == 200


def test_waiting_request_whose_client_disconnects_ends(tmp_path: Path) -> None:
    """Its body is not read, so the end of the connection is not read either."""
    with (
        serving_gated(tmp_path / "log", THREADS="1", QUEUE="1") as server,
        Clients(server.url) as clients,
    ):
        clients.post(image(0))
        server.gate.next()
        clients.post(image(1))
        wait_until(lambda: Scrape(server.client).in_flight == 2, "a full queue")

        def ends_by_disconnect() -> bool:
            """False if the machine is so slow that the request was refused before."""
            before = Scrape(server.client)
            with raw.connection(server.url) as client:
                client.sendall(raw.post("image/png", "Content-Length: 60000") + bytes(50_000))
                wait_until(
                    lambda: Scrape(server.client).in_flight != 2 or raw.is_readable(client),
                    "a waiting request",
                )
            wait_until(lambda: Scrape(server.client).in_flight == 2, "the end of the wait")
            return Scrape(server.client).finished(499) > before.finished(499)

        wait_until(ends_by_disconnect, "a disconnect while a request waits")
        server.gate.open()


def test_accepted_requests_are_classified_in_order_of_arrival(tmp_path: Path) -> None:
    """Each gets its response when its image is done; the later ones keep waiting."""
    numbers = range(5)
    with (
        serving_gated(tmp_path / "log", THREADS="1", QUEUE="100") as server,
        Clients(server.url) as clients,
    ):
        waiting = []
        for number in numbers:
            waiting.append(clients.post(image(number)))
            wait_until(
                lambda: Scrape(server.client).in_flight == len(waiting), "an accepted request"
            )
        for number in numbers:
            blocked = server.gate.next()
            assert blocked.data == image(number)
            assert not any(map(raw.is_readable, waiting[number:]))
            blocked.release()
            assert raw.status(raw.response(waiting[number])) == 200


def test_full_queue_gets_503_before_the_body_is_sent(tmp_path: Path) -> None:
    """Given one request with three images: one is being classified, two fill the queue. When one
    leaves the queue, the next request is accepted."""
    with (
        serving_gated(tmp_path / "log", THREADS="1", QUEUE="2") as server,
        Clients(server.url) as clients,
    ):
        many = clients.post(image(0), image(1), image(2))
        blocked = server.gate.next()
        late = clients.connect()
        late.sendall(raw.post("image/png", "Content-Length: 1000000"))
        assert raw.status(late.recv(65536)) == 503

        blocked.release()
        server.gate.next()
        later = clients.post(image(3))
        wait_until(lambda: Scrape(server.client).in_flight == 2, "an accepted request")
        server.gate.open()
        assert raw.status(raw.response(many)) == 200
        assert raw.status(raw.response(later)) == 200


def test_burst_that_fits_the_queue_gets_200(server: Server, sample: bytes) -> None:
    """Given 100 parallel requests and the default settings."""

    async def burst() -> list[int]:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(limits=limits, timeout=HANG_SECONDS) as client:
            posts = (client.post(server.url, files={"file": sample}) for _ in range(100))
            return [response.status_code for response in await asyncio.gather(*posts)]

    assert asyncio.run(burst()) == [200] * 100


def test_queued_images_of_disconnected_clients_are_not_decoded(tmp_path: Path) -> None:
    """Given 30 requests that fill the queue: when their clients disconnect, their images leave the
    queue and are never decoded."""
    with (
        serving_gated(tmp_path / "log", THREADS="1", QUEUE="30") as server,
        Clients(server.url) as clients,
    ):
        first = clients.post(image(0))
        blocked = server.gate.next()
        with Clients(server.url) as disconnecting:
            for number in range(1, 31):
                disconnecting.post(image(number))
            wait_until(lambda: Scrape(server.client).in_flight == 31, "a full queue")
            assert raw.status(raw.response(clients.post(image(31)))) == 503
        wait_until(lambda: Scrape(server.client).finished(499) == 30, "30 disconnects")

        last = clients.post(image(32))
        wait_until(lambda: Scrape(server.client).in_flight == 2, "an accepted request")
        blocked.release()
        assert raw.status(raw.response(first)) == 200
        second = server.gate.next()
        assert second.data == image(32)
        second.release()
        assert raw.status(raw.response(last)) == 200
        assert Scrape(server.client).decoded == 2
        log = server.log.read_text()
    assert log.count('"status":499') == 30
