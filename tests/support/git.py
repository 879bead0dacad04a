"""The files of the repository."""

import subprocess

from tests.support.paths import ROOT


def tracked_files(*patterns: str) -> list[str]:
    """The paths that git tracks, below the root, also if another user owns the checkout, as in a
    container."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", *patterns],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [name for name in listed.stdout.decode().split("\0") if name]
