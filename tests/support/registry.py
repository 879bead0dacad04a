"""A registry of container images, on the loopback interface."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.support.ports import free_port
from tests.support.wait import wait_until

_CONFIGURATION: Final = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: "{folder}"}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """The address of a running registry, which stores images in `folder`. Docker takes plain HTTP
    from this address. Needs Debian's docker-registry."""
    port = free_port()
    configuration = folder / "registry.yml"
    configuration.write_text(_CONFIGURATION.format(folder=folder / "images", port=port))
    log = folder / "registry.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            ["docker-registry", "serve", configuration], stdout=output, stderr=output
        ) as process,
    ):
        try:

            def answers() -> bool:
                assert process.poll() is None, log.read_text()
                try:
                    return httpx.get(f"http://127.0.0.1:{port}/v2/").is_success
                except httpx.TransportError:
                    return False

            wait_until(answers, "a registry that answers")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
