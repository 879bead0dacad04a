"""Content negotiation: pages for browsers, JSON for programs (RFC 9110, section 12.5.1)."""

import httpx
import pytest
from starlette.requests import Request

from classifier.api.negotiation import prefers_json, wants_page

NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
"""Firefox, when it opens a page or sends a form"""

CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;"
    "q=0.8,application/signed-exchange;v=b3;q=0.7"
)
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


def request(*accept: str, **headers: str) -> Request:
    """A request with these lines of Accept, and other headers."""
    given = [("accept", each) for each in accept]
    given += [(name.replace("_", "-"), value) for name, value in headers.items()]
    encoded = [(name.encode(), value.encode()) for name, value in given]
    return Request({"type": "http", "headers": encoded})


@pytest.mark.parametrize(
    "accept",
    [
        NAVIGATION,
        CHROMIUM,
        NAVIGATION.upper(),
        " text/html ; q = 1 , application/xhtml+xml\t",
        "application/xhtml+xml,text/*",
        "application/xhtml+xml;q=0.1,text/html,application/json",
        "application/xhtml+xml,text/html;q=0.5,application/*;q=0.5",
        "application/xhtml+xml,text/html;q=0.3,*/*;q=0.9,application/*;q=0.2",
        "application/xhtml+xml,text/html;q=0.5,*/*;q=0",
        f",, ;q=1, nonsense, text/html;q=high, {NAVIGATION}",
        "application/xhtml+xml, text/html;level=1;q=0.1, text/html;q=0.9, application/json;q=0.8",
    ],
)
def test_browser_gets_a_page(accept: str) -> None:
    assert wants_page(request(accept))


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        JAVA,
        "text/html, */*",
        "text/html, application/json",
        "text/html;q=0.9, application/problem+json;q=0.1",
        "text/plain, application/xhtml+xml, */*",
        "application/xhtml+xml",
        "application/xhtml+xml;q=0, text/html, */*",
        "application/xhtml+xml, text/html;q=0, */*",
        "application/xhtml+xml, text/html;q=0, text/*, */*",
        "application/xhtml+xml, text/html;q=0.8, application/json;q=0.9",
        "application/xhtml+xml, text/html;q=0.8, application/*;q=0.9, application/json;q=0.1",
        "application/xhtml+xml, text/html;q=0.8, */*",
        "application/xhtml+xml, text/html;q=2, */*;q=0.1",
        "application/xhtml+xml, texts/html, */*",
        "application/xhtml+xml, text/htmlx, */*",
        "application/xhtml+xml, text/html;level=1, text/html;q=0.1, application/json;q=0.5",
    ],
)
def test_program_and_client_that_prefers_json_get_json(accept: str) -> None:
    assert not wants_page(request(accept))


@pytest.mark.parametrize("accept", ["text/html", "text/*", "text/html, */*;q=0", "text/html;q=.1"])
def test_client_that_accepts_html_and_no_json_gets_a_page(accept: str) -> None:
    """As the script of the page does, with and without Sec-Fetch headers."""
    assert wants_page(request(accept))


@pytest.mark.parametrize("header", ["sec_fetch_site", "sec_fetch_mode", "sec_fetch_dest"])
def test_sec_fetch_headers_make_a_browser(header: str) -> None:
    """Given the Accept of jQuery where it expects HTML."""
    accept = "text/html, */*; q=0.01"
    assert wants_page(request(accept, **{header: "x"}))
    assert not wants_page(request(accept))


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json, text/plain, */*", "text/html;q=0.1, */*"]
)
def test_script_of_a_browser_gets_json_unless_it_prefers_html(accept: str) -> None:
    assert not wants_page(request(accept, sec_fetch_mode="cors"))


def test_wget2_gets_json_though_it_sends_the_accept_of_a_browser() -> None:
    assert not wants_page(request(NAVIGATION, user_agent="wget2/1.99.1"))
    assert wants_page(request(NAVIGATION, user_agent="Mozilla/5.0 (X11; Linux x86_64) Gecko"))


def test_several_accept_headers_are_one_list() -> None:
    assert wants_page(request("application/xhtml+xml", "text/html", "application/json"))
    assert not wants_page(request("application/xhtml+xml", "text/html;q=0.5", "application/json"))


def test_long_header_is_read_in_part() -> None:
    assert not wants_page(request("a/b," * 10_000 + NAVIGATION))
    assert wants_page(request(NAVIGATION + ",a/b" * 10_000))


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json", True),
        ("application/json, */*;q=0.5", True),
        ("text/html;q=0.5, application/json", True),
        ("text/html;q=0, application/*", True),
        ("", False),
        ("*/*", False),
        ("application/json, text/plain, */*", False),
        ("text/html, application/json", False),
        ("application/json;q=0", False),
        (NAVIGATION, False),
        (JAVA, False),
    ],
)
def test_json_in_place_of_the_page_is_for_clients_that_prefer_it(
    accept: str, expected: bool
) -> None:
    assert prefers_json(request(accept)) is expected


# Responses of a server


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [(None, "application/json"), (JAVA, "application/json"), (NAVIGATION, "text/html")],
)
def test_result_and_problem_are_negotiated(
    client: httpx.Client, sample: bytes, accept: str | None, media_type: str
) -> None:
    headers = {} if accept is None else {"accept": accept}
    for data, suffix in ((sample, ""), (b"no image", "problem+")):
        response = client.post("/", files={"file": data}, headers=headers)
        expected = media_type if "html" in media_type else media_type.replace("/", f"/{suffix}")
        assert response.headers["content-type"].partition(";")[0] == expected
        assert response.headers["vary"] == "Accept, Sec-Fetch-Mode, User-Agent"


def test_unknown_path_is_negotiated(client: httpx.Client) -> None:
    page, problem = (client.get("/no", headers={"accept": each}) for each in (NAVIGATION, JAVA))
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert problem.headers["content-type"] == "application/problem+json"
    assert page.headers["vary"] == problem.headers["vary"] == "Accept, Sec-Fetch-Mode, User-Agent"


@pytest.mark.parametrize("accept", ["*/*", NAVIGATION, JAVA])
def test_get_gives_the_page_to_every_client_that_can_take_it(
    client: httpx.Client, accept: str
) -> None:
    page = client.get("/", headers={"accept": accept})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Accept" in page.headers["vary"]


def test_get_gives_links_to_clients_that_prefer_json(client: httpx.Client) -> None:
    index = client.get("/", headers={"accept": "application/json"})
    assert index.headers["content-type"] == "application/json"
    assert "Accept" in index.headers["vary"]
    links = index.json()
    assert links["model"] == client.get("/healthz").json()["model"]
    for link in (links["docs"], links["openapi"]):
        assert client.get(link).status_code == 200
