"""Facts that an ONNX file states beside its nodes: the shape of its input, and metadata."""

from pathlib import Path
from typing import Final

import onnx

from local.models.exports.export import ExportError, Refused, Stated

_CHANNELS: Final = 3


def read_header(path: Path) -> onnx.ModelProto:
    """The model, without the weights in other files, which must exist. Raises `ExportError`."""
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # classes of protobuf
        raise ExportError(
            f"{path} is not a valid ONNX model. Export the network to ONNX, see docs/own-model.md."
        ) from error
    for file in _weight_files(model):
        if not (path.parent / file).is_file():
            raise ExportError(
                f"{path} needs {path.parent / file}, which is not there: it has the weights. Copy "
                "both files of the export."
            )
    return model


def _weight_files(model: onnx.ModelProto) -> list[str]:
    """The files beside the ONNX file that have its weights, as torch exports them."""
    files = {
        entry.value
        for constant in model.graph.initializer
        for entry in constant.external_data
        if entry.key == "location"
    }
    return sorted(files)


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def input_values(model: onnx.ModelProto, name: str) -> dict[str, Stated]:
    """The layout, and the size where it is fixed, of the input of the model in the file `name`.

    Empty if the input is no image or is not the only one: the import says so.
    """
    constants = {constant.name for constant in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4:
        return {}
    first, *image = (dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim)
    shape = ", ".join(str(length or "any") for length in (first, *image))
    source = f"input [{shape}] of {name}"
    if image[0] == _CHANNELS:
        layout, sides = "nchw", image[1:]
    elif image[2] == _CHANNELS:
        layout, sides = "nhwc", image[:2]
    else:
        return {}
    values = {"layout": Stated(layout, source)}
    height, width = sides
    if height and width and height != width:
        values["size"] = Stated(
            Refused(
                f"The input of {name} is {width} x {height} pixels. The service's are square: "
                "export it with an equal height and width."
            ),
            source,
        )
    elif height or width:
        values["size"] = Stated(height or width, source)
    return values
