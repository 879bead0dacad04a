"""The repository contains no credentials."""

import re
import subprocess

from tests.support.paths import ROOT

CREDENTIAL = re.compile(
    rb"\b(AKIA|ASIA)[0-9A-Z]{16}\b"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    rb"|\bgh[pousr]_[0-9A-Za-z]{36}\b"
    rb"|secret_access_key\W{1,5}[0-9A-Za-z/+]{40}\b",
    re.IGNORECASE,
)


def test_no_file_contains_credentials() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    paths = [ROOT / name for name in names if (ROOT / name).is_file()]
    assert len(paths) > 100
    assert not [path for path in paths if CREDENTIAL.search(path.read_bytes())]


def test_credential_pattern_matches() -> None:
    for secret in (b"AKIA" + b"A" * 16, b"-----BEGIN " + b"RSA PRIVATE KEY-----"):
        assert CREDENTIAL.search(b"key = '" + secret + b"'")
