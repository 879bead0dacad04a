"""Chooses the value of each option: the command line's, the export's, or the default."""

from collections.abc import Mapping

from local.models.exports.export import ExportError, Refused, Stated

Values = Mapping[str, Stated]


def merged(*layers: Values) -> dict[str, Stated]:
    """The value of each option from the first layer that has it. Raises `ExportError`."""
    chosen: dict[str, Stated] = {}
    for layer in layers:
        chosen = {**layer, **chosen}
    for stated in chosen.values():
        if isinstance(stated.value, Refused):
            raise ExportError(stated.value.reason)
    return chosen


def check_size(given: Values, export: Values, graph: Values) -> None:
    """Check that the export states the size that its network has, unless an option is `given`.

    Raises `ExportError`.
    """
    if "size" in given or "size" not in export or "size" not in graph:
        return
    (stated, source), (fixed, of_graph) = export["size"], graph["size"]
    if isinstance(stated, int) and isinstance(fixed, int) and stated != fixed:
        raise ExportError(
            f"{source} says {stated} pixels, and the {of_graph} {fixed}. Export it again, or use "
            f"--size {fixed}."
        )


def report(values: Values) -> list[str]:
    """One line per value: the option's name, the value and its source."""
    rows = [
        (option.replace("_", "-"), _text(value), source)
        for option, (value, source) in values.items()
    ]
    names, texts = (max(map(len, column)) for column in list(zip(*rows, strict=True))[:2])
    return [f"{name:{names}}  {text:{texts}}  {source}" for name, text, source in rows]


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(f"{part:.6g}" for part in value)
    if isinstance(value, list):
        return f"{len(value)} classes"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
