"""Finds the kind of an export by its files, and reads it."""

from pathlib import Path
from typing import Final

from local.models.exports.export import Export, ExportError
from local.models.exports.hugging_face import is_hugging_face, read_hugging_face
from local.models.exports.members import read_json
from local.models.exports.mlflow import mlflow_onnx_file
from local.models.exports.onnx_file import read_header
from local.models.exports.timm import is_timm, read_timm
from local.models.exports.ultralytics import is_ultralytics, read_ultralytics

_KINDS: Final = (
    "an ONNX file of Ultralytics, a folder of Hugging Face's optimum (config.json, "
    "preprocessor_config.json), of timm (config.json) or of MLflow (MLmodel)"
)

_FACTS: Final = {"config.json", "preprocessor_config.json", "MLmodel"}


def read_export(path: Path, onnx: Path | None = None) -> Export:
    """The export at `path`: an ONNX file, a folder, or one of the folder's files.

    onnx: the network, if it is elsewhere. Raises `ExportError`.
    """
    if not path.exists():
        raise ExportError(f"There is no {path}. Name {_KINDS}.")
    folder = path.parent if path.name in _FACTS else path
    if not folder.is_dir():
        return _read_onnx(path)
    if (folder / "MLmodel").is_file():
        file = onnx or mlflow_onnx_file(folder)
        model = read_header(file)
        return read_ultralytics(file, model) if is_ultralytics(model) else Export(file)
    if (folder / "config.json").is_file():
        config = read_json(folder / "config.json")
        if is_timm(config):
            return read_timm(config, onnx or _network_in(folder))
        if is_hugging_face(config):
            return read_hugging_face(config, folder, onnx or _network_in(folder))
    elif list(folder.glob("*.onnx")):
        return _read_onnx(onnx or _network_in(folder))
    raise ExportError(
        f"{folder} is not an export that the build knows. Name {_KINDS}, or use --onnx."
    )


def _read_onnx(path: Path) -> Export:
    model = read_header(path)
    if not is_ultralytics(model):
        raise ExportError(
            f"{path} does not state how it is used. Name {_KINDS}; or use --onnx {path} with "
            "--labels, and --preset or --mean and --std."
        )
    return read_ultralytics(path, model)


def _network_in(folder: Path) -> Path:
    """The ONNX file of the folder. Raises `ExportError`."""
    files = sorted([*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")])
    named = [file for file in files if file.name == "model.onnx"]
    for found in (files, named):
        if len(found) == 1:
            return found[0]
    if not files:
        raise ExportError(
            f"{folder} has no ONNX file. Export the network to {folder / 'model.onnx'}."
        )
    names = ", ".join(str(file.relative_to(folder)) for file in files)
    raise ExportError(f"{folder} has several ONNX files ({names}). Name one with --onnx.")
