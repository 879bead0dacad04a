"""Swagger UI at `/docs`: a photo is classified from it, without another site."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.browser.page import CAT, NOT_A_PHOTO
from tests.support.browser import HANG_MS
from tests.support.gateway import Gateway
from tests.support.pictures import SAMPLE_LABEL
from tests.support.server import Server, serving

OpenDocs = Callable[..., Page]


@pytest.fixture
def open_docs(browser: Browser) -> Iterator[OpenDocs]:
    """Opens `/docs` of a service.

    At the end, it may have had no error, may not have violated its content security policy, and
    may have sent requests to the service alone. Swagger UI itself logs warnings.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []
    urls: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            errors.append(message.text)

    def opened(url: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(HANG_MS)
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: urls.append(request.url))
        page.goto(f"{url}/docs")
        services.append(url)
        return page

    services: list[str] = []
    yield opened
    for context in contexts:
        context.close()
    assert errors == []
    own = (*(f"{service}/" for service in services), "data:", "blob:")
    assert [url for url in urls if not url.startswith(own)] == []


def try_classify(page: Page) -> Locator:
    """Open `POST /` for requests. Returns its part of the page."""
    operation = page.locator("#operations-Images-classify")
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    return operation


def execute(operation: Locator) -> Locator:
    """Send the request. Returns the part of the page with the response."""
    operation.get_by_role("button", name="Execute").click()
    return operation.locator(".live-responses-table .response")


def expect_the_cat(response: Locator) -> None:
    expect(response.locator(".response-col_status").first).to_contain_text("200")
    expect(response.locator(".highlight-code").first).to_contain_text(SAMPLE_LABEL)


def test_form_with_a_photo_is_sent_from_swagger_ui(open_docs: OpenDocs, server: Server) -> None:
    operation = try_classify(open_docs(server.url))
    operation.locator("input[type=file]").set_input_files(CAT)
    expect_the_cat(execute(operation))


def test_body_with_a_photo_is_sent_from_swagger_ui(open_docs: OpenDocs, server: Server) -> None:
    operation = try_classify(open_docs(server.url))
    operation.get_by_label("Request content type").select_option("application/octet-stream")
    operation.locator("input[type=file]").set_input_files(CAT)
    expect_the_cat(execute(operation))


def test_several_photos_get_results_in_swagger_ui(open_docs: OpenDocs, server: Server) -> None:
    operation = try_classify(open_docs(server.url))
    operation.get_by_role("button", name="Add string item").click()
    fields = operation.locator("input[type=file]")
    expect(fields).to_have_count(2)
    for field in fields.all():
        field.set_input_files(CAT)
    response = execute(operation)
    expect_the_cat(response)
    text = response.locator(".highlight-code code").first.inner_text()
    assert len(json.loads(text)) == 2


def test_problem_is_shown_in_swagger_ui(open_docs: OpenDocs, server: Server) -> None:
    operation = try_classify(open_docs(server.url))
    operation.locator("input[type=file]").set_input_files(NOT_A_PHOTO)
    response = execute(operation)
    expect(response.locator(".response-col_status").first).to_contain_text("415")
    expect(response.locator(".highlight-code").first).to_contain_text("#unsupported-format")


def test_swagger_ui_works_behind_a_path_prefix(open_docs: OpenDocs, stage: Gateway) -> None:
    page = open_docs(stage.url)
    operation = try_classify(page)
    assert page.url == f"{stage.url}/docs#/Images/classify"
    operation.locator("input[type=file]").set_input_files(CAT)
    expect_the_cat(execute(operation))


def test_key_is_given_with_the_authorize_button(
    open_docs: OpenDocs, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = tmp_path_factory.mktemp("protected") / "log"
    with serving(log, API_KEY="the-key") as protected:
        page = open_docs(protected.url)
        operation = try_classify(page)
        operation.locator("input[type=file]").set_input_files(CAT)
        response = execute(operation)
        expect(response.locator(".response-col_status").first).to_contain_text("401")
        page.locator(".auth-wrapper > .btn.authorize").click()
        dialog = page.locator(".dialog-ux")
        dialog.get_by_role("textbox").fill("the-key")
        dialog.get_by_role("button", name="Apply credentials").click()
        dialog.get_by_role("button", name="Close", exact=True).click()
        expect_the_cat(execute(operation))


def test_operation_in_the_url_is_open(open_docs: OpenDocs, server: Server) -> None:
    page = open_docs(server.url)
    page.goto(f"{server.url}/docs#/Service/health")
    page.reload()
    health = page.locator("#operations-Service-health")
    expect(health).to_have_class(re.compile("is-open"))


def test_docs_without_javascript_name_the_document_and_a_command(
    open_docs: OpenDocs, server: Server
) -> None:
    page = open_docs(server.url, java_script_enabled=False)
    body = page.locator("body")
    expect(body).to_contain_text(f"curl --form file=@photo.jpg {server.url}/")
    page.get_by_role("link", name="openapi.json").first.click()
    expect(body).to_contain_text("Classify one image or several")
