"""The HTML pages: the form, its results, the documentation."""

import re
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tests.support.pictures import SAMPLE_LABEL
from tests.support.server import serving


def test_page_has_a_form_and_its_assets_exist(client: httpx.Client) -> None:
    page = client.get("/", headers={"accept": "text/html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<form" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for asset in re.findall(r'(?:href|src)="(page/[^"]+)"', page.text):
        assert client.get(f"/{asset}").status_code == 200
    assert client.get("/page/../main.py").status_code == 404
    assert client.head("/").status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/no/such/page", "/no%2Fsuch/", "/page/nothing.css"])
def test_page_of_an_unknown_path_says_so_and_has_links(client: httpx.Client, path: str) -> None:
    page = client.get(path, headers={"accept": "text/html"})
    assert page.status_code == 404
    assert "<h2>Not Found</h2>" in page.text
    base = re.search(r'<base href="([^"]+)">', page.text)
    address = urljoin(str(page.url), base[1] if base else "")
    for asset in re.findall(r'(?:href|src)="(page/[^"]+)"', page.text):
        assert client.get(urljoin(address, asset)).status_code == 200
    assert urljoin(address, "./") == str(client.base_url.join("/"))


def test_form_without_javascript_gets_a_page(client: httpx.Client, sample: bytes) -> None:
    accept = "text/html,application/xhtml+xml,*/*;q=0.8"
    page = client.post("/", files={"file": sample}, headers={"accept": accept})
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert re.search(rf"{SAMPLE_LABEL}.*?\d\d\.\d%", page.text)


def test_form_without_javascript_gets_problems_as_a_page(client: httpx.Client) -> None:
    page = client.post("/", files={"file": b"<b>no</b>"}, headers={"accept": "text/html"})
    assert page.status_code == 415
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Convert it to JPEG or PNG" in page.text
    assert "<form" in page.text


def test_docs_load_only_files_of_the_service(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    links = re.findall(r'(?:href|src)="([^"]*)"', page.text)
    assert {"docs/swagger-ui/swagger-ui-bundle.js", "docs/swagger-ui/swagger-ui.css"} <= set(links)
    for link in links:
        assert client.get(f"/{link.removeprefix('./')}").status_code == 200


def test_docs_without_scripts_name_the_document_and_a_command(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert 'href="openapi.json"' in page.text
    assert f"curl --form file=@photo.jpg {client.base_url}" in page.text


@pytest.mark.parametrize(
    "path", ["", "__init__.py", "favicon-32x32.png", "../main.py", "%2e%2e/main.py"]
)
def test_other_files_of_swagger_ui_are_not_served(client: httpx.Client, path: str) -> None:
    """Its package has more files."""
    assert client.get(f"/docs/swagger-ui/{path}").status_code == 404


def test_docs_without_swagger_ui_name_its_package(tmp_path: Path) -> None:
    """Given a package without the files: another release, or none."""
    (tmp_path / "fastapi_swagger").mkdir()
    (tmp_path / "fastapi_swagger" / "__init__.py").touch()
    with serving(tmp_path / "log", PYTHONPATH=str(tmp_path)) as server:
        page = server.client.get("/docs")
        assert page.status_code == 200
        assert "pip install fastapi-swagger" in page.text
        assert f"curl --form file=@photo.jpg {server.url}/" in page.text
        assert "<script" not in page.text
        assert server.client.get("/openapi.json").status_code == 200


@pytest.mark.parametrize("path", ["/page/page.css", "/docs/swagger-ui/swagger-ui-bundle.js"])
def test_page_assets_are_revalidated(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pages_have_no_inline_scripts_or_styles(client: httpx.Client) -> None:
    """The content security policy blocks both."""
    for path in ("/", "/docs", "/problems"):
        page = client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page)


def test_field_names_are_escaped_on_the_page(client: httpx.Client) -> None:
    field = "<script>alert(1)</script>"
    page = client.post("/", files={field: (None, b"x")}, headers={"accept": "text/html"})
    assert page.status_code == 422
    assert field not in page.text
    assert "&lt;script&gt;" in page.text


def test_file_names_are_not_on_the_page(client: httpx.Client, sample: bytes) -> None:
    evil = '"><script>alert(1)</script>.jpg'
    files = [("file", (evil, sample, "image/jpeg")), ("file", (evil, b"none", f"text/{evil}"))]
    page = client.post("/", files=files, headers={"accept": "text/html"})
    assert page.status_code == 415
    assert "alert(1)" not in page.text


@pytest.mark.parametrize("path", ["/<script>alert(1)</script>", "/%3Cscript%3E", "/'\"><img>"])
def test_paths_are_escaped_on_the_page(client: httpx.Client, path: str) -> None:
    page = client.get(path, headers={"accept": "text/html"})
    assert page.status_code == 404
    shown = page.text.partition('id="results"')[2]
    assert "<script" not in shown
    assert "<img" not in shown
