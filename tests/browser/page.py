"""Files for the page, and steps that the tests share."""

import re

from playwright.sync_api import FilePayload, Page, expect

from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_LABEL

CAT = FilePayload(name="sample.jpg", mimeType="image/jpeg", buffer=SAMPLE.read_bytes())
NOT_A_PHOTO = FilePayload(name="notes.jpg", mimeType="image/jpeg", buffer=b"just text")


# Only the page can make the object with dropped files.
TRANSFER = """([name, content]) => {
  const transfer = new DataTransfer();
  if (!name) transfer.setData("text/plain", content);
  else transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
  return transfer;
}"""


def choose(page: Page, *files: FilePayload) -> None:
    """Choose files; without JavaScript, send the form."""
    page.get_by_label("Choose photos").set_input_files(files)
    send = page.get_by_role("button", name="Classify")
    if send.is_visible():
        send.click()


def drop(page: Page, name: str, content: str) -> None:
    """Drop a file with this name and base64 content, and without a type; without a name, drop
    text."""
    transfer = page.evaluate_handle(TRANSFER, [name, content])
    page.dispatch_event("h1", "drop", {"dataTransfer": transfer})


def expect_the_cat(page: Page) -> None:
    first = page.get_by_role("listitem").first
    expect(first).to_contain_text(SAMPLE_LABEL)
    expect(first).to_contain_text(re.compile(r"\d\d\.\d%"))
    expect(page.get_by_role("article").first).to_contain_text(
        re.compile(r"Decoded in \d+\.\d\sms, classified in \d+\.\d\sms")
    )
