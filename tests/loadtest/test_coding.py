"""Content codings of responses, and the kinds of failures."""

import gzip
import zlib

import pytest

from local.loadtest.engine.coding import UndecodableBody, decode
from local.loadtest.engine.kinds import OTHER, Kinds
from local.loadtest.engine.response import BODY_LIMIT

BODY = b'{"predictions": []}' * 20


def raw_deflate(body: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(body) + encoder.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("identity", BODY),
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("X-GZIP", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("deflate, gzip", gzip.compress(zlib.compress(BODY), mtime=0)),
    ],
)
def test_codings_are_removed(coding: str, body: bytes) -> None:
    assert decode(body, coding) == BODY


def test_brotli_is_decoded_if_its_package_is_installed() -> None:
    brotli = pytest.importorskip("brotli")
    coded = brotli.compress(BODY)
    assert decode(coded, "br") == BODY
    for body, kind in (
        (coded[:-1], "invalid br"),
        (BODY, "invalid br"),
        (brotli.compress(bytes(BODY_LIMIT + 1), quality=1), "response too large"),
    ):
        with pytest.raises(UndecodableBody, match=f"^{kind}$"):
            decode(body, "br")


def test_zstd_is_decoded_if_its_package_is_installed() -> None:
    zstandard = pytest.importorskip("zstandard")
    encoder = zstandard.ZstdCompressor()
    stream = encoder.compressobj()
    for coded in (encoder.compress(BODY), stream.compress(BODY) + stream.flush()):
        assert decode(coded, "zstd") == BODY
        with pytest.raises(UndecodableBody, match=r"^invalid zstd$"):
            decode(coded[:-1], "zstd")
    with pytest.raises(UndecodableBody, match=r"^response too large$"):
        decode(encoder.compress(bytes(BODY_LIMIT + 1)), "zstd")


@pytest.mark.parametrize(
    ("coding", "body", "kind"),
    [
        ("gzip", BODY, "invalid gzip"),
        ("gzip", gzip.compress(BODY, mtime=0)[:-9], "invalid gzip"),
        ("deflate", b"", "invalid deflate"),
        ("compress", BODY, "content coding compress"),
        ("gzip", gzip.compress(bytes(BODY_LIMIT + 1), 1), "response too large"),
    ],
)
def test_other_bodies_are_failures(coding: str, body: bytes, kind: str) -> None:
    with pytest.raises(UndecodableBody, match=f"^{kind}$"):
        decode(body, coding)


def test_kinds_beyond_a_byte_are_one() -> None:
    kinds = Kinds()
    numbers = [kinds.number(f"status {number}") for number in range(400)]
    assert numbers[:253] == list(range(2, 255))
    assert set(numbers[253:]) == {255}
    assert (len(kinds.names), kinds.names[255]) == (256, OTHER)
    assert kinds.number("status 7") == 9
