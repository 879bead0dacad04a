"""Files for the page, and steps that the tests share."""

import re

from playwright.sync_api import FilePayload, Page, expect

from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_LABEL

CAT = FilePayload(name="sample.jpg", mimeType="image/jpeg", buffer=SAMPLE.read_bytes())
NOT_A_PHOTO = FilePayload(name="notes.jpg", mimeType="image/jpeg", buffer=b"just text")


def choose(page: Page, *files: FilePayload) -> None:
    """Choose files; without JavaScript, send the form."""
    page.get_by_label("Choose photos").set_input_files(files)
    send = page.get_by_role("button", name="Classify")
    if send.is_visible():
        send.click()


def expect_the_cat(page: Page) -> None:
    first = page.get_by_role("listitem").first
    expect(first).to_contain_text(SAMPLE_LABEL)
    expect(first).to_contain_text(re.compile(r"\d\d\.\d%"))
    expect(page.get_by_role("article").first).to_contain_text(
        re.compile(r"Decoded in \d+\.\d\sms, classified in \d+\.\d\sms")
    )
