"""Synthetic photos with known classes: coloured shapes on noise, drawn from a seed."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE: Final = 96
"""Width and height of a photo in pixels."""

COLOURS: Final = {
    "red": (220, 40, 40),
    "green": (40, 190, 60),
    "blue": (40, 70, 220),
    "yellow": (230, 220, 40),
    "violet": (190, 50, 220),
}
SHAPES: Final = ("disc", "bars")
CLASSES: Final = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]

Boxes = list[tuple[int, int, int, int]]


def write_photos(folder: Path, each: int, seed: int = 0) -> Path:
    """Write `each` photos of each class to a subfolder with its name; returns `folder`."""
    random = np.random.default_rng(seed)
    for index, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            picture([index], random).save(folder / name / f"{number:03}.png")
    return folder


def picture(classes: list[int], random: np.random.Generator) -> Image.Image:
    """A photo with one shape of each class, at random positions and sizes."""
    grey = random.integers(70, 180)
    noise = random.normal(grey, 12, (SIDE, SIDE, 3))
    image = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for index in classes:
        colour = list(COLOURS.values())[index // len(SHAPES)]
        fill = tuple(int(value) for value in np.add(colour, random.integers(-30, 31, 3)))
        side = int(random.integers(40, 65))
        left, top = (int(value) for value in random.integers(4, SIDE - side - 4, 2))
        _draw(draw, SHAPES[index % len(SHAPES)], left, top, side, fill)
    return image


def _draw(  # noqa: PLR0917
    draw: ImageDraw.ImageDraw, shape: str, left: int, top: int, side: int, fill: tuple[int, ...]
) -> None:
    box = (left, top, left + side, top + side)
    if shape == "disc":
        draw.ellipse(box, fill)
    else:
        for start in range(top, top + side, 8):
            draw.rectangle((left, start, left + side, start + 3), fill)


def pixels_of(
    count: int, size: int, seed: int = 0, shapes: int = 1
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Photos uint8 [count, size, size, 3], and which classes each shows, [count, 10].

    shapes: the number of different classes in a photo.
    """
    random = np.random.default_rng(seed)
    pixels = np.empty((count, size, size, 3), np.uint8)
    shown = np.zeros((count, len(CLASSES)), bool)
    for number in range(count):
        first = number % len(CLASSES)
        others = random.permutation([c for c in range(len(CLASSES)) if c != first])
        classes = [first, *(int(c) for c in others[: shapes - 1])]
        photo = picture(classes, random).resize((size, size), Image.Resampling.BICUBIC)
        pixels[number] = np.asarray(photo)
        shown[number, classes] = True
    return pixels, shown
