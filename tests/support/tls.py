"""Certificates for servers that tests start."""

import subprocess
from pathlib import Path


def self_signed(folder: Path) -> Path:
    """A certificate for localhost and its key in one new file in `folder`. Needs OpenSSL."""
    path, certificate = folder / "localhost.pem", folder / "localhost.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(path), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + certificate.read_text())
    return path
