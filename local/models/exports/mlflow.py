"""MLflow: a folder with an MLmodel file, as `mlflow.onnx.save_model` writes it.

MLmodel is YAML. Only the path `flavors: onnx: data:` is read, from the block style that MLflow
writes, so that the build needs no YAML library.
"""

from pathlib import Path

from local.models.exports.export import ExportError


def mlflow_onnx_file(folder: Path) -> Path:
    """The ONNX file of the model in `folder`. Raises `ExportError`."""
    path = folder / "MLmodel"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read as UTF-8. Export it again.") from error
    data = _scalar(text, ["flavors", "onnx", "data"])
    if not data:
        raise ExportError(
            f"{path} has no ONNX flavor. Convert the model to ONNX, and log it with "
            "mlflow.onnx.log_model."
        )
    file = folder / data
    if not file.is_file():
        raise ExportError(f"{path} names {data}, which is not there. Download the whole folder.")
    return file


def _scalar(text: str, names: list[str]) -> str | None:
    """The text at nested keys of a YAML block mapping, or None."""
    entered: list[tuple[int, str]] = []
    for line in text.splitlines():
        key, colon, value = line.strip().partition(":")
        if not colon or key.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        while entered and entered[-1][0] >= indent:
            entered.pop()
        entered.append((indent, key.strip("'\"")))
        if [name for _, name in entered] == names:
            return value.strip().strip("'\"") or None
    return None
