"""A verified model artifact: graph, labels and model card."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from classifier.images import INTERPOLATIONS, RESIZES, Resize

MODEL_FILE: Final = "model.onnx"
LABELS_FILE: Final = "labels.txt"
CARD_FILE: Final = "model.json"

EXPLAIN: Final = "explain"
"""Of models with a class activation map: the optional input that turns it on, a bool"""

CLASS_MAP: Final = "class_map"
"""Of such models: the output [M, H, W], float32; M is 1 for one image if asked for, and else 0"""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""Windows editors write it at the start of UTF-8 files."""


class ArtifactError(Exception):
    """The model cannot be served; the message is one line with the reason and the remedy."""


class Label(NamedTuple):
    """One class: its name, and its WordNet id where it has one."""

    name: str
    wnid: str | None


class ModelCard(NamedTuple):
    """The fields of the model card that the service needs; `content` is the whole card.

    `size` is the input's width and height in pixels. `crop_fraction`, `interpolation` and `resize`
    are parameters of `images.read_image`; a card without `resize` means "crop". `threshold` is the
    probability from which on the first class is taken to be right, 0 to 1, or None if the card has
    none. `explains` is whether the model has a class activation map.
    """

    name: str
    sha256: str
    size: int
    crop_fraction: float
    interpolation: str
    resize: Resize
    threshold: float | None
    explains: bool
    content: dict[str, Any]

    @property
    def activation(self) -> str:
        """Of the output: softmax, sigmoid, or none if the network has another; softmax in cards
        that do not state it."""
        return str((self.content.get("output") or {}).get("activation", "softmax"))

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Raises `ValueError`, `KeyError` or `TypeError` if `content` is not a model card."""
        card = _parse_json(content)
        preprocessing = card["preprocessing"]
        for member in ("preprocessing", "output", "confidence"):
            if not isinstance(card.get(member) or {}, dict):
                raise ValueError(f"{member} must be an object")
        if not isinstance(card["name"], str):
            raise ValueError("name must be text")
        threshold = (card.get("confidence") or {}).get("threshold")
        parsed = cls(
            name=card["name"],
            sha256=str(card["sha256"]),
            size=int(preprocessing["size"]),
            crop_fraction=float(preprocessing["crop_fraction"]),
            interpolation=str(preprocessing["interpolation"]),
            resize=preprocessing.get("resize", "crop"),
            threshold=None if threshold is None else float(threshold),
            explains=card.get("explanation") is not None,
            content=card,
        )
        if parsed.size < 1 or not 0 < parsed.crop_fraction <= 1:
            raise ValueError("size must be 1 or more, crop_fraction above 0 and at most 1")
        if parsed.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}")
        if parsed.resize not in RESIZES:
            raise ValueError(f"resize must be one of {', '.join(RESIZES)}")
        if parsed.threshold is not None and not 0 <= parsed.threshold <= 1:
            raise ValueError("the threshold of confidence must be from 0 to 1")
        return parsed


class Artifact(NamedTuple):
    """A model as it is stored: `graph` is the ONNX file, `labels` are in index order."""

    graph: bytes
    labels: list[Label]
    card: ModelCard


def load_artifact(read: Callable[[str], bytes], location: str) -> Artifact:
    """Read the artifact's files with `read(name)` and verify them; messages name `location`.

    Raises `ArtifactError` if a file is missing, the card is incomplete, the labels are not usable,
    or the graph is not the one that the card describes (SHA-256).
    """
    try:
        card = ModelCard.parse(read(CARD_FILE))
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{CARD_FILE} in {location} is not a model card ({type(error).__name__}: {error})."
        ) from None
    graph = read(MODEL_FILE)
    found = hashlib.sha256(graph).hexdigest()
    if found != card.sha256:
        raise ArtifactError(
            f"{MODEL_FILE} in {location} is not the file that {CARD_FILE} describes: its SHA-256 "
            f"is {found}, the card says {card.sha256}. Restore the file, or build the model again."
        )
    try:
        labels = parse_labels(read(LABELS_FILE))
    except ValueError as error:
        raise ArtifactError(f"{LABELS_FILE} in {location} cannot be used: {error}") from None
    return Artifact(graph, labels, card)


def _parse_json(content: bytes) -> Any:
    """The content, if `/model` can return it as JSON: no NaN, no infinity, no half of a surrogate
    pair. Raises `ValueError`."""
    try:
        parsed = json.loads(content)
        json.dumps(parsed, allow_nan=False, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return parsed


def directory_reader(directory: Path) -> Callable[[str], bytes]:
    """Reads files of `directory`. The function raises `ArtifactError`."""

    def read(name: str) -> bytes:
        try:
            return (directory / name).read_bytes()
        except OSError as error:
            raise ArtifactError(
                f"Cannot read {directory / name}: {error.strerror}. MODEL_DIR must be a directory "
                f"that holds {MODEL_FILE}, {LABELS_FILE} and {CARD_FILE}."
            ) from None

    return read


def parse_labels(content: bytes) -> list[Label]:
    """The classes in index order: one per line, `name` or `wnid<TAB>name`, UTF-8.

    Lines end with LF or CRLF. A byte order mark, and blank lines at the end, are dropped. Raises
    `ValueError`, with the line and the remedy, if the file is empty, another line is blank, or the
    encoding is not UTF-8.
    """
    try:
        text = content.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        line_number = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(_not_utf_8(line_number)) from None
    # Not splitlines: it also splits at characters that names may contain, U+0085 and U+2028.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip():
        del lines[-1]
    if not lines:
        raise ValueError("it is empty. Write one class name per line, in index order.")
    return [_parse_label(number, line) for number, line in enumerate(lines, 1)]


def _parse_label(number: int, line: str) -> Label:
    if "\0" in line:  # UTF-16 without a byte order mark
        raise ValueError(_not_utf_8(number))
    wnid, tab, name = line.partition("\t")
    label = Label(name, wnid) if tab else Label(line, None)
    if not label.name.strip():
        raise ValueError(f"line {number} has no class name. Write one class name per line.")
    return label


def _not_utf_8(number: int) -> str:
    return f"line {number} is not UTF-8. Save the file in the encoding UTF-8."
