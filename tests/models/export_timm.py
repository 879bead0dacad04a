"""Export a randomly initialized timm model, and write what timm and torch compute for photos.

Usage: python -m tests.models.export_timm NAME FOLDER, with FOLDER/photos. Writes to FOLDER:

- net.onnx;
- options.json: the options of local.models.build that follow from the model's configuration;
- expected.npz: pixels [N, size, size, 3] uint8 of timm's transform before it normalizes them, and
  logits [N, classes] float32 of the torch model after the whole transform.

A separate program, because the libraries print warnings and take seconds to import.
"""

import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config

SIZE = 96
"""Pixels; less than the models' own, for speed"""

CLASSES = 10


def main(name: str, directory: str) -> None:
    folder = Path(directory)
    torch.manual_seed(0)
    options = {"img_size": SIZE} if name.startswith("vit") else {}
    model = timm.create_model(name, num_classes=CLASSES, **options).eval()
    _randomize(model)
    config = resolve_data_config({"input_size": (3, SIZE, SIZE)}, model=model)
    transform = create_transform(**config)
    crop = transform.transforms[:2]
    pixels, inputs = [], []
    for path in sorted((folder / "photos").iterdir()):
        with Image.open(path) as image:
            photo = image.convert("RGB")
        inputs.append(transform(photo))
        for step in crop:
            photo = step(photo)
        pixels.append(np.asarray(photo))
    batch = torch.stack(inputs)
    with torch.no_grad():
        _spread(model.get_classifier(), model(batch))
        logits = model(batch).numpy()
    np.savez(folder / "expected.npz", pixels=np.stack(pixels), logits=logits)
    _export(model, folder / "net.onnx")
    stated = {
        "--size": SIZE,
        "--mean": ",".join(map(str, config["mean"])),
        "--std": ",".join(map(str, config["std"])),
        "--crop-fraction": config["crop_pct"],
        "--interpolation": config["interpolation"],
        "--resize": "squash" if config["crop_mode"] == "squash" else "crop",
    }
    (folder / "options.json").write_text(json.dumps(stated))


def _randomize(model: torch.nn.Module) -> None:
    """Normalizations that differ from the identity, as after training."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.LayerNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)


def _spread(classifier: torch.nn.Linear, logits: torch.Tensor) -> None:
    """Change the last layer so that each class's logit has the mean 0 and the deviation 1: without
    training, it is nearly the same for every photo."""
    deviation = logits.std(0)
    classifier.weight.div_(deviation[:, None])
    classifier.bias.sub_(logits.mean(0)).div_(deviation)


def _export(model: torch.nn.Module, path: Path) -> None:
    batch = torch.export.Dim("batch")
    torch.onnx.export(
        model,
        (torch.zeros(2, 3, SIZE, SIZE),),
        path,
        dynamic_shapes=({0: batch},),
        external_data=False,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
