"""What a request body holds."""

from typing import NamedTuple


class Upload(NamedTuple):
    """The encoded `images` of a request, or the `key` of an object in the bucket."""

    images: list[bytes]
    key: str | None = None
    top_k: object = None
    """As it is in a JSON body, not yet checked; None if it is not there"""
    function: object = None
    """`function_to_apply` of a JSON body, as top_k"""
    labels: bool = False
    """Whether the body has the form of Hugging Face's clients: the response has theirs, too."""
