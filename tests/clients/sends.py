"""The head of a request -> what is special about it, in a few words."""

from typing import Final

_SHOWN: Final = ("accept", "expect", "upgrade", "content-encoding", "transfer-encoding")


def sends(head: bytes) -> str:
    """The content type, and the headers by which clients differ; for a request that is not an
    HTTP/1.1 POST, that as well."""
    line, *lines = head.decode("latin-1").split("\r\n")
    method, _, version = line.split(" ")
    fields = {
        name.lower(): value.strip()
        for name, _, value in (header.partition(":") for header in lines)
    }
    parts = [] if (method, version) == ("POST", "HTTP/1.1") else [f"{method} {version}"]
    parts.append(fields.get("content-type", "no content type").partition(";")[0])
    parts += [f"{name}: {fields[name]}" for name in _SHOWN if name in fields]
    return ", ".join(parts)
