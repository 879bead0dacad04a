"""The build compares the service with the user's file, and the settings with known classes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from classifier.images import Resize
from local.models import build
from local.models.graph.service_io import Activation, Normalization, add_service_io
from local.models.parity.check import ParityError, check_parity, compare
from local.models.parity.reference import Settings, own_pixels
from local.models.parity.settings_check import MOST_PHOTOS, balanced, check_settings, sign_test
from local.models.photos import Preprocessing, read_pixels
from local.models.sources.import_onnx import import_onnx
from tests.models.networks import SIZE, Network, small_convolution

IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""mean and deviation of pixels of 0 to 255"""

COLOURS = {"red": (210, 60, 60), "green": (60, 210, 60), "blue": (60, 60, 210)}


def settings(
    mean: Sequence[float] = (0.0,) * 3,
    std: Sequence[float] = (255.0,) * 3,
    *,
    resize: Resize = "crop",
    fraction: float = 0.875,
    activation: Activation = "softmax",
) -> Settings:
    return Settings(
        Preprocessing(SIZE, fraction, "bicubic", resize),
        Normalization(SIZE, tuple(mean), tuple(std)),
        activation,
    )


def bgr(stated: Settings) -> Settings:
    return replace(stated, normalization=replace(stated.normalization, colour="bgr"))


def whole_image_network(path: Path, weights: NDArray[Any], bias: Sequence[float] = ()) -> Path:
    """Logits: the weighted sums of the normalized pixels. weights [classes, 3, SIZE, SIZE]."""
    net = Network()
    classes = len(weights)
    values = np.array(bias or (0.0,) * classes, np.float32)
    net.add("Conv", weights.astype(np.float32), values)
    net.add("Flatten")
    return net.save(path, input_shape=["N", 3, SIZE, SIZE], output_shape=["N", classes])


def colour_network(path: Path) -> Path:
    """Three classes: red, green, blue; the channel that is largest in the whole image."""
    weights = np.zeros((3, 3, SIZE, SIZE))
    for channel in range(3):
        weights[channel, channel] = 2 / SIZE**2
    return whole_image_network(path, weights)


def brightness_network(path: Path) -> Path:
    """Two classes: dark and bright, on either side of the middle of -1 to 1."""
    weights = np.zeros((2, 3, SIZE, SIZE))
    weights[1] = 8 / SIZE**2
    return whole_image_network(path, weights)


def top_network(path: Path) -> Path:
    """Two classes: the colour of the top rows is red or blue."""
    weights = np.zeros((2, 3, SIZE, SIZE))
    weights[0, 0, :2] = weights[1, 2, :2] = 1 / SIZE
    return whole_image_network(path, weights)


def noisy(colour: Sequence[int], seed: int, size: tuple[int, int] = (40, 40)) -> Image.Image:
    """A photo of nearly one colour."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 30, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each colour, with ten photos in each."""
    folder = tmp_path_factory.mktemp("coloured")
    for name, colour in COLOURS.items():
        (folder / name).mkdir()
        for number in range(10):
            noisy(colour, number).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def high(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Grey photos, three times as high as wide, whose upper tenth is red or blue in turn."""
    folder = tmp_path_factory.mktemp("high")
    paths = [folder / f"{number}.png" for number in range(40)]
    for number, path in enumerate(paths):
        picture = noisy((128, 128, 128), number, (40, 120))
        picture.paste((250, 20, 20) if number % 2 == 0 else (20, 20, 250), (0, 0, 40, 12))
        picture.save(path)
    return paths


def photos_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.png"))


def served(file: Path, built_with: Settings) -> onnx.ModelProto:
    network, _ = import_onnx(file, built_with.normalization, built_with.activation)
    return add_service_io(network, built_with.normalization, built_with.activation)


def report(
    file: Path, stated: Settings, photos: list[Path], *, built_with: Settings | None = None
) -> str:
    """That of a service which was built with other settings than stated."""
    own = built_with or stated
    pixels = read_pixels(photos, own.preprocessing)
    return check_parity(file, stated, served(file, own), photos, pixels)


@pytest.mark.parametrize(
    "stated",
    [
        settings(),
        settings(*IMAGENET),
        bgr(settings(*IMAGENET)),
        settings(resize="squash", fraction=1),
        settings(activation="sigmoid"),
    ],
    ids=["default", "imagenet", "bgr", "squash", "sigmoid"],
)
def test_report_has_agreement_and_differences(
    stated: Settings, tmp_path: Path, coloured: Path
) -> None:
    lines = report(colour_network(tmp_path / "net.onnx"), stated, photos_of(coloured)).splitlines()
    assert lines[0].startswith("On the same pixels, the largest difference to net.onnx is ")
    assert float(lines[0].rstrip(".").split()[-1]) < 1e-5
    assert "the first class agrees on 100.0% of 30 photos" in lines[1]


def test_files_in_float16_may_round(tmp_path: Path, coloured: Path) -> None:
    file = small_convolution(tmp_path / "net.onnx", half="everywhere")
    assert "first class agrees" in report(file, settings(), photos_of(coloured))


@pytest.mark.parametrize(
    ("built_with", "options"),
    [
        (bgr(settings()), "--colour bgr: check --colour."),
        (
            settings(*IMAGENET),
            "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --pixel-range 1: "
            "check --mean, --std and --pixel-range.",
        ),
        (settings((0.0,) * 3, (1.0,) * 3), "--mean 0 --std 1 --pixel-range 255: check --mean"),
        (settings(activation="sigmoid"), "--activation sigmoid: check --activation."),
    ],
)
def test_model_with_another_input_or_output_fails_and_the_difference_is_named(
    built_with: Settings, options: str, tmp_path: Path, coloured: Path
) -> None:
    file = colour_network(tmp_path / "net.onnx")
    with pytest.raises(ParityError, match="probability on the same pixels") as failed:
        report(file, settings(), photos_of(coloured), built_with=built_with)
    assert f"It agrees with {options}" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_difference_without_a_known_cause_fails(tmp_path: Path, coloured: Path) -> None:
    file = colour_network(tmp_path / "net.onnx")
    odd = settings((90.0, 20.0, 30.0), (30.0, 90.0, 20.0))
    with pytest.raises(ParityError, match="No other setting explains this"):
        report(file, settings(), photos_of(coloured), built_with=odd)


def test_another_crop_fails_and_is_named(tmp_path: Path, high: list[Path]) -> None:
    # given a service that squashes photos whose border decides
    file = top_network(tmp_path / "net.onnx")
    squashed = settings(resize="squash", fraction=1)
    # when the file's own preprocessing crops them
    with pytest.raises(ParityError, match="With its own preprocessing") as failed:
        report(file, settings(), high, built_with=squashed)
    # then
    assert "check --resize and --crop-fraction" in str(failed.value)
    assert "--resize squash --crop-fraction 1" in str(failed.value)


def own_parity(
    file: Path, photos: list[Path], change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> str:
    """The report of a service whose pixels are the file's own, changed."""
    stated = settings(resize="squash", fraction=1)
    own = np.stack([own_pixels(photo, stated.preprocessing) for photo in photos])
    return check_parity(file, stated, served(file, stated), photos, change(own))


def test_network_that_a_shift_by_one_pixel_changes_is_compared_with_that(
    tmp_path: Path, coloured: Path
) -> None:
    """Given a network that decides by the noise of the photos."""
    weights = np.random.default_rng(5).normal(0, 1, (3, 3, SIZE, SIZE))
    file = whole_image_network(tmp_path / "net.onnx", weights)
    found = own_parity(file, photos_of(coloured), lambda own: np.roll(own, -1, axis=(1, 2)))
    assert "A shift by one pixel changes its probabilities by" in found


def test_difference_that_no_shift_explains_fails(tmp_path: Path, coloured: Path) -> None:
    """Given pixels of other photos."""
    file = colour_network(tmp_path / "net.onnx")
    with pytest.raises(ParityError, match="With its own preprocessing"):
        own_parity(file, photos_of(coloured), lambda own: own[::-1])


def test_not_a_number_is_the_largest_difference() -> None:
    wrong = np.array([[np.nan, 0.5]])
    assert compare(np.array([[0.5, 0.5]]), wrong).largest == 1


def test_photo_formats_that_only_the_service_reads_are_left_out(
    tmp_path: Path, coloured: Path
) -> None:
    photos = photos_of(coloured)[:4]
    file, stated = colour_network(tmp_path / "net.onnx"), settings()
    pixels = read_pixels(photos, stated.preprocessing)
    (tmp_path / "a.heic").write_bytes(b"a format that Pillow does not open")
    mixed = [*photos[:3], tmp_path / "a.heic"]
    assert "of 3 photos" in check_parity(file, stated, served(file, stated), mixed, pixels)


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (300, 300), (224, 640), (20, 90)])
@pytest.mark.parametrize(("resize", "edge"), [("crop", 256), ("squash", 256)])
def test_own_pixels_are_those_of_resize_and_centre_crop(
    size: tuple[int, int], resize: Resize, edge: int, tmp_path: Path
) -> None:
    """The shorter side becomes 256, and 224 pixels are cropped, offsets rounded to even."""
    picture = noisy((128, 128, 128), 0, size)
    picture.save(tmp_path / "a.png")
    lengths = {
        (500, 375): (341, 256),
        (375, 500): (256, 341),
        (300, 300): (256, 256),
        (224, 640): (256, 731),
        (20, 90): (256, 1152),
    }[size]
    resized = picture.resize((256, 256) if resize == "squash" else lengths)
    corner = {341: 58, 256: 16, 731: 254, 1152: 464}
    left, top = (corner[length] for length in resized.size)
    expected = resized.crop((left, top, left + 224, top + 224))
    pixels = own_pixels(tmp_path / "a.png", Preprocessing(224, 0.875, "bicubic", resize))
    assert np.array_equal(pixels, np.asarray(expected))


def test_own_pixels_are_upright(tmp_path: Path) -> None:
    picture = noisy((128, 128, 128), 0, (60, 40))
    tag = Image.Exif()
    tag[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=tag)
    with Image.open(tmp_path / "turned.png") as stored:
        ImageOps.exif_transpose(stored).save(tmp_path / "upright.png", exif=Image.Exif())
    turned, upright = (
        own_pixels(tmp_path / name, Preprocessing(32)) for name in ("turned.png", "upright.png")
    )
    assert np.array_equal(turned, upright)


def warning(file: Path, stated: Settings, photos: list[Path], classes: list[int]) -> str | None:
    labelled = balanced(photos, classes)
    assert labelled
    return check_settings(file, stated, labelled).warning


def test_wrong_channel_order_is_named(tmp_path: Path, coloured: Path) -> None:
    photos = photos_of(coloured)
    classes = [list(COLOURS).index(photo.parent.name) for photo in photos]
    file = colour_network(tmp_path / "net.onnx")
    assert warning(file, bgr(settings()), photos, classes) == (
        "with --colour rgb 100% of 30 photos are right, with these settings 33%. Check --colour."
    )
    assert warning(file, settings(), photos, classes) is None


def test_wrong_mean_is_named(tmp_path: Path) -> None:
    # given photos that are dark and bright, and a network for inputs of -1 to 1
    photos = [tmp_path / f"{number}.png" for number in range(40)]
    for number, path in enumerate(photos):
        noisy((70, 70, 70) if number % 2 == 0 else (190, 190, 190), number).save(path)
    classes = [number % 2 for number in range(40)]
    file = brightness_network(tmp_path / "net.onnx")
    # then inputs of 0 to 1 are all bright
    found = warning(file, settings(), photos, classes)
    assert found
    assert "100% of 40 photos are right, with these settings 50%. Check --mean" in found
    assert warning(file, settings((127.5,) * 3, (127.5,) * 3), photos, classes) is None


def test_wrong_crop_is_named(tmp_path: Path, high: list[Path]) -> None:
    classes = [number % 2 for number in range(40)]
    file = top_network(tmp_path / "net.onnx")
    found = warning(file, settings(), high, classes)
    assert found
    assert "with --resize squash --crop-fraction 1 100% of 40 photos are right" in found
    assert warning(file, settings(resize="squash", fraction=1), high, classes) is None


def test_network_that_guesses_gets_no_warning(tmp_path: Path, coloured: Path) -> None:
    """With random classes, no setting is better by more than chance."""
    photos = photos_of(coloured)
    classes = np.random.default_rng(0).permutation(np.arange(30) % 3).tolist()
    assert warning(colour_network(tmp_path / "net.onnx"), settings(), photos, classes) is None


def test_sign_test_is_exact() -> None:
    assert sign_test(0, 0) == 1
    assert sign_test(1, 1) == 0.75
    assert sign_test(10, 0) == 2**-10
    assert sign_test(9, 1) == 11 * 2**-10


def test_each_class_counts_alike() -> None:
    paths = [Path(f"{number}.png") for number in range(1000)]
    frequent = balanced(paths[:60], [0] * 40 + [1] * 15 + [None] * 5)
    assert frequent
    assert np.bincount(frequent.classes).tolist() == [15, 15]
    many = balanced(paths, [number % 4 for number in range(1000)])
    assert many
    assert np.bincount(many.classes).tolist() == [MOST_PHOTOS // 4] * 4
    assert balanced(paths[:60], [0] * 60) is None
    assert balanced(paths[:60], [None] * 60) is None
    assert balanced(paths[:18], [0, 1] * 9) is None


def build_arguments(folder: Path, photos: Path, *options: str) -> list[str]:
    colour_network(folder / "net.onnx")
    (folder / "names.txt").write_text("\n".join(COLOURS))
    given = {
        "--onnx": folder / "net.onnx",
        "--labels": folder / "names.txt",
        "--calibration": photos,
        "--size": SIZE,
        "--out": folder / "out",
        "--fp32": folder / "fp32.onnx",
    }
    return [*(str(part) for pair in given.items() for part in pair), *options]


def test_build_prints_parity_and_warns(
    tmp_path: Path, coloured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.main(build_arguments(tmp_path, coloured, "--colour", "bgr", "--parity", "7"))
    out, err = capsys.readouterr()
    assert "agrees on 100.0% of 7 photos" in out
    assert "33% of 30 photos of known classes are right." in out
    (line,) = [line for line in err.splitlines() if line.startswith("warning:")]
    assert line.startswith("warning: with --colour rgb 100% of 30 photos are right")


def test_parity_0_compares_nothing(
    tmp_path: Path, coloured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.main(build_arguments(tmp_path, coloured, "--parity", "0"))
    assert "first class agrees" not in capsys.readouterr().out
