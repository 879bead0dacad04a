"""The descriptions in the table of clients."""

import pytest

from tests.clients.outcome import Outcome, outcomes
from tests.clients.sends import sends


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"POST / HTTP/1.1\r\nHost: service", "no content type"),
        (
            b"POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x",
            "multipart/form-data",
        ),
        (b"PUT / HTTP/1.0\r\nCONTENT-TYPE: image/jpeg", "PUT HTTP/1.0, image/jpeg"),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nAccept: */*",
            "no content type, accept: */*, transfer-encoding: chunked",
        ),
    ],
)
def test_description_names_what_clients_differ_in(head: bytes, expected: str) -> None:
    assert sends(head) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"predictions":[{"label":"cat","probability":0.5}]}', Outcome(200, "cat")),
        ('[{"label":"cat","score":0.5}]', Outcome(200, "cat")),
        (
            '{"type":"/problems#x","status":413,"detail":"Too large."}',
            Outcome(413, detail="Too large.", type="/problems#x"),
        ),
    ],
)
def test_json_in_the_output_is_a_response(line: str, expected: Outcome) -> None:
    assert outcomes(f"{line}\n\n{line}\n") == [expected, expected]


@pytest.mark.parametrize("printed", ["", "<html></html>", "{}", "[]", '"reset"', '{"status":500}'])
def test_other_output_is_no_response(printed: str) -> None:
    assert outcomes(printed) == []


@pytest.mark.parametrize(
    ("outcome", "printed", "word"),
    [
        (Outcome(200, "tiger cat"), "", "200"),
        (Outcome(200, "teapot"), "", "wrong class"),
        (Outcome(415), "", "415"),
        (Outcome(None), "<!doctype html><HTML>", "HTML"),
        (Outcome(None), "reset by peer", "no response"),
    ],
)
def test_word_says_what_the_client_got(outcome: Outcome, printed: str, word: str) -> None:
    assert outcome.word(printed) == word
