"""The repository contains no credentials."""

import re

from tests.support.git import tracked_files
from tests.support.paths import ROOT

CREDENTIAL = re.compile(
    rb"\b(AKIA|ASIA)[0-9A-Z]{16}\b"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    rb"|\bgh[pousr]_[0-9A-Za-z]{36}\b"
    rb"|secret_access_key\W{1,5}[0-9A-Za-z/+]{40}\b",
    re.IGNORECASE,
)


def test_no_file_contains_a_credential() -> None:
    names = tracked_files()
    paths = [ROOT / name for name in names if (ROOT / name).is_file()]
    assert len(paths) > 100
    assert not [path for path in paths if CREDENTIAL.search(path.read_bytes())]


def test_credentials_are_detected() -> None:
    for credential in (b"AKIA" + b"A" * 16, b"-----BEGIN " + b"RSA PRIVATE KEY-----"):
        assert CREDENTIAL.search(b"key = '" + credential + b"'")
