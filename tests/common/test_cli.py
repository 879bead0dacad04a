"""What all commands have in common."""

import argparse

import pytest

from local.common.cli import whole_number


@pytest.mark.parametrize("text", ["9" * 5000, "-1", "1.0", "", "0", "11"])
def test_whole_number_refuses_others(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number from 1 to 10"):
        whole_number(1, 10)(text)
