"""Profiles of AWS whose credentials cannot be read."""

from pathlib import Path

ROLE = "role_arn = arn:aws:iam::123456789012:role/r"

UNREADABLE = [
    ("credential_process = /missing/program", "/missing/program"),
    ("credential_process = sh -c 'echo one >&2; echo two >&2; exit 1'", "one two"),
    (f"web_identity_token_file = /missing/token\n{ROLE}", "/missing/token"),
]
"""Each with a part of the message"""

ASKING = (f"mfa_serial = m\nsource_profile = keys\n{ROLE}", "asks for an MFA code")
"""Without a terminal. The question of boto3 comes before the message."""


def profile_environment(folder: Path, profile: str) -> dict[str, str]:
    """The environment for a `profile` in a file in `folder`; keys have to be unset."""
    file = folder / "config"
    file.write_text(
        f"[profile unreadable]\n{profile}\n"
        "[profile keys]\naws_access_key_id = test\naws_secret_access_key = test\n"
    )
    return {
        "AWS_CONFIG_FILE": str(file),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_PROFILE": "unreadable",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
    }
