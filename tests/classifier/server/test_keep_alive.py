"""The time that idle connections stay open."""

from uvicorn.config import Config

from classifier.server.keep_alive import UVICORN_DEFAULT, keep_alive_seconds
from classifier.settings import Settings
from tests.classifier.server.fake_clock import (
    JUST,
    KEEP_ALIVE_SECONDS,
    Connection,
    FakeClockLoop,
    run,
)
from tests.support import raw


def test_idle_connections_stay_open_longer_than_those_of_load_balancers() -> None:
    """60 s is the default of AWS's load balancer, and of nginx."""
    assert keep_alive_seconds(UVICORN_DEFAULT, Settings()) > 60


def test_option_of_uvicorn_overrides_the_setting(config: Config) -> None:
    default = config.timeout_keep_alive
    assert default == UVICORN_DEFAULT

    async def test(loop: FakeClockLoop) -> None:
        for option, expected in ((default, KEEP_ALIVE_SECONDS), (4, 4), (600, 600)):
            config.timeout_keep_alive = option
            client = Connection(loop, config)
            await client.send(raw.get("/healthz"))
            await loop.advance(expected - JUST)
            assert not client.is_closed
            await loop.advance(JUST)
            assert client.is_closed

    try:
        run(test)
    finally:
        config.timeout_keep_alive = default
