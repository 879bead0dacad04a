"""What goes wrong by no fault of the program."""


class UsageError(Exception):
    """Something given cannot be used; the message is one line that says why and what to do."""
