"""https, against a server with a self-signed certificate."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.common.cpu import cpu_count
from local.loadtest.engine.connection import UNTRUSTED
from tests.support.scripts import measured
from tests.support.stub import Stub, serving_stub
from tests.support.tls import self_signed
from tests.support.tools import OPENSSL, needs

ONE = "local/test_script.py"
WAVES = "local/run_multiple_tests.py"

pytestmark = needs(OPENSSL)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key in one file."""
    return self_signed(tmp_path_factory.mktemp("tls"))


def trust(certificate: Path) -> dict[str, str]:
    return {"SSL_CERT_FILE": str(certificate)}


@pytest.fixture
def tls_stub(certificate: Path) -> Iterator[Stub]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving_stub(context) as running:
        yield running


def test_https_with_a_trusted_certificate(
    tls_stub: Stub, certificate: Path, tmp_path: Path
) -> None:
    url = tls_stub.follow("delay/0.1", "delay/0.1", "cut", "chunked")
    done, report = measured(ONE, 20, "--url", url,
                            folder=tmp_path, environment=trust(certificate))  # fmt: skip
    assert done.returncode == 1
    assert report["failures_by_kind"] == {"truncated response": 5}
    assert report["answered"] == 15
    assert report["latency_ms"]["p50"] >= 100
    assert len(tls_stub.received) == 20


def test_timeout_over_tls(tls_stub: Stub, certificate: Path, tmp_path: Path) -> None:
    _, report = measured(ONE, 2, "--timeout", 0.3, "--url", f"{tls_stub.url}/hang",
                         folder=tmp_path, environment=trust(certificate))  # fmt: skip
    assert report["failures_by_kind"] == {"timeout": 2}


def test_large_payload_over_tls(tls_stub: Stub, certificate: Path, tmp_path: Path) -> None:
    image = tmp_path / "large.jpg"
    image.write_bytes(bytes(5_000_000))
    done, _ = measured(ONE, 3, "--image", image, "--url", tls_stub.url,
                       folder=tmp_path, environment=trust(certificate))  # fmt: skip
    assert done.returncode == 0
    assert all(len(request.body) > 5_000_000 for request in tls_stub.received)


def test_untrusted_certificate_names_the_options_for_it(tls_stub: Stub, tmp_path: Path) -> None:
    done, report = measured(ONE, 3, "--url", tls_stub.url, folder=tmp_path)
    assert done.returncode == 1
    assert report["failures_by_kind"] == {UNTRUSTED: 3}
    assert tls_stub.received == []


def test_given_authority_is_trusted(tls_stub: Stub, certificate: Path, tmp_path: Path) -> None:
    done, report = measured(ONE, 3, "--url", tls_stub.url, "--cacert", certificate, folder=tmp_path)
    assert done.returncode == 0
    assert report["answered"] == 3


def test_insecure_verifies_nothing(tls_stub: Stub, tmp_path: Path) -> None:
    done, _ = measured(ONE, 3, "--url", tls_stub.url, "--insecure", folder=tmp_path)
    assert done.returncode == 0


def test_keep_alive_over_tls(tls_stub: Stub, certificate: Path, tmp_path: Path) -> None:
    requests = 4 * cpu_count()  # four of each sender
    for seconds in (0.2, 2, 20):  # between them: the first suffices unless the machine is busy
        tls_stub.received.clear()
        done, _ = measured(WAVES, "-N", 1, "-T", seconds / cpu_count(), "-R", requests,
                           "--keep-alive", "--url", tls_stub.url, "--cacert", certificate,
                           folder=tmp_path)  # fmt: skip
        assert done.returncode == 0
        ports = {request.port for request in tls_stub.received}
        if len(ports) < requests:
            break
    assert len(ports) < requests


def test_https_to_a_plain_http_server_fails(stub: Stub, tmp_path: Path) -> None:
    url = stub.url.replace("http:", "https:")
    _, report = measured(ONE, 2, "--timeout", 0.3, "--url", url, folder=tmp_path)
    assert report["failures"] == 2
