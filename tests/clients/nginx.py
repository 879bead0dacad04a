"""nginx in front of the service."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.clients.client import ADDRESS
from tests.support.ports import free_port
from tests.support.raw import connection
from tests.support.tools import NGINX
from tests.support.wait import HANG_SECONDS, wait_until

CONFIGURATION: Final = Path(__file__).parent / "nginx.conf"

_LISTEN: Final = "127.0.0.1:80"
_LOCATION: Final = "location / {"


@contextmanager
def in_front(url: str, directive: str, folder: Path) -> Iterator[str]:
    """nginx that forwards to the service at `url`, with `directive` in its location and its files
    in `folder`. Yields its address, without a trailing slash."""
    address = f"127.0.0.1:{free_port()}"
    path = NGINX.path()
    assert path
    text = CONFIGURATION.read_text()
    for placeholder, value in (
        (_LISTEN, address),
        (ADDRESS, urlsplit(url).netloc),
        (_LOCATION, f"{_LOCATION} {directive}"),
    ):
        assert placeholder in text
        text = text.replace(placeholder, value)
    folder.mkdir()
    (folder / "nginx.conf").write_text(text)
    command = [path, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
    if not os.geteuid():
        command += ["-g", "user root;"]  # another user cannot write to the folder
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)

    def is_listening() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            with connection(f"http://{address}"):
                return True
        except ConnectionRefusedError:
            return False

    try:
        wait_until(is_listening, "a connection to nginx")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(timeout=HANG_SECONDS)
