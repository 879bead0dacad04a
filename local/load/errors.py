"""What the user asked for and cannot have."""


class UsageError(Exception):
    """A request that makes no sense or cannot be met; the message is one line and says why."""
