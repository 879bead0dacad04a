"""The table of ordinary photos: `make bench-photos`."""

import functools
import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from classifier.images import read_image
from local.benchmark.photos import cli, kinds, tables
from local.benchmark.photos.cache import PhotoCache
from local.benchmark.photos.cli import HEALTH, LOST, OTHER_CLASS, REFUSED
from local.benchmark.photos.kinds import EncoderMissing, Kind, Photo
from local.benchmark.photos.pictures import Picture
from local.benchmark.photos.sending import Outcome, is_class
from local.benchmark.photos.tiff import TILE, write_tiff
from local.common.cli import UsageError
from local.common.paths import SAMPLE
from tests.support.pictures import difference

TINY = (320, 240)

ALL_KINDS = [
    *kinds.JPEGS, *kinds.PNGS, *kinds.WEBPS, kinds.AVIF, kinds.HEIC, *kinds.TIFFS, kinds.SCAN,
    kinds.PAGES,
]  # fmt: skip

OK = Outcome("200", same_class=True, cpu_ms=300, peak_mb=200, health_ms=20)


@pytest.fixture(scope="module")
def picture() -> Picture:
    return Picture.read(SAMPLE.read_bytes())


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.title)
def test_photo_of_each_kind_decodes(kind: Kind, picture: Picture) -> None:
    """Those that the service does not read are in the table as well; Pillow reads all but HEIC."""
    data = kind.make(picture, TINY)
    if kind is kinds.HEIC:
        assert data[4:12] == b"ftypheic"
        return
    with Image.open(BytesIO(data)) as image:
        assert image.size == TINY
        decoded = np.asarray(image.convert("RGB"))
    expected = picture.scan(TINY) if kind.page else picture.photo(TINY)
    assert difference(decoded, np.asarray(expected.convert("RGB"))) < 40


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_kinds_differ_in_coding(progressive: bool, picture: Picture) -> None:
    for kind in kinds.JPEGS:
        with Image.open(BytesIO(kind.make(picture, TINY))) as image:
            assert bool(image.info.get("progressive")) == ("progressive" in kind.title)
            assert image.mode == ("L" if "grey" in kind.title else "RGB")


@pytest.mark.parametrize("layout", ["strips", "tiles", "one strip"])
@pytest.mark.parametrize("coding", ["none", "LZW", "deflate", "JPEG"])
@pytest.mark.parametrize("size", [(TILE, TILE), (700, 300), (33, 1)])
def test_tiff_has_the_pixels_in_the_layout(
    coding: str, layout: str, size: tuple[int, int], picture: Picture
) -> None:
    photo = picture.photo(size)
    with Image.open(BytesIO(write_tiff(photo, coding, layout))) as image:
        tags = dict(image.tag_v2)  # type: ignore[attr-defined]
        decoded = np.asarray(image.convert("RGB"))
    assert difference(decoded, np.asarray(photo)) < (20 if coding == "JPEG" else 1e-9)
    assert (322 in tags) == (layout == "tiles")
    if layout == "one strip":
        assert len(tags[273]) == 1


def test_photo_shows_what_the_small_one_shows(picture: Picture) -> None:
    """Any shape is cut from the centre; grain changes single pixels, not areas."""
    for size in ((1600, 900), (900, 1600)):
        large = picture.photo(size).resize((80, 80), Image.Resampling.BOX)
        with Image.open(BytesIO(picture.small(size))) as small:
            assert abs(small.width / small.height - size[0] / size[1]) < 0.01
            expected = small.convert("RGB").resize((80, 80), Image.Resampling.BOX)
        assert difference(np.asarray(large), np.asarray(expected)) < 2


def test_bands_of_a_photo_have_no_seams(picture: Picture) -> None:
    tall = np.asarray(picture.photo((300, 1100)).convert("L")).astype(int)
    steps = np.abs(np.diff(tall, axis=0)).mean(axis=1)
    assert steps[499] < 2 * np.median(steps)


def test_ordinary_photos_have_different_names_and_fit_in_a_request() -> None:
    photos = kinds.ordinary_photos()
    assert len({photo.name for photo in photos}) == len(photos)
    assert {photo.kind for photo in photos} == set(ALL_KINDS)
    assert {"JPEG baseline 4:2:0, 200 MP", "HEIC of tiles, 48 MP", "PNG RGBA, 7680 x 4320"} <= {
        photo.title for photo in photos
    }


def test_cache_makes_a_photo_once(tmp_path: Path) -> None:
    made = []

    def make(_: Picture, size: tuple[int, int]) -> bytes:
        made.append(size)
        return b"photo"

    photo = Photo(Kind("Test", "bin", "image/test", make), TINY, "tiny")
    for _ in range(2):
        assert PhotoCache(SAMPLE.read_bytes(), tmp_path).read(photo) == b"photo"
    assert made == [TINY]
    assert [path.name for path in tmp_path.rglob("*.*")] == ["test-320x240.bin"]


def test_missing_encoder_is_a_row_of_the_table(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EncoderMissing):
        kinds.HEIC.make(picture, TINY)
    figures = table_figures({"title": "HEIC, 12 MP", "why": "not made: it needs pillow_heif"})
    assert list(tables.rows(figures)) == [("HEIC, 12 MP", "not made: it needs pillow_heif")]


def table_figures(*photos: dict[str, Any]) -> dict[str, Any]:
    sizes = [("512m", "512 MB"), ("1g", "1 GB")]
    return {
        "container": True,
        "memory": [{"name": name, "title": title, "idle_mb": 120} for name, title in sizes],
        "photos": photos,
    }


def test_row_has_median_cpu_and_largest_peak_of_accepted_photos() -> None:
    outcomes = {
        "512m": Outcome("413", "too large", cpu_ms=1, peak_mb=900),
        "1g": Outcome("200", same_class=True, cpu_ms=1100, peak_mb=700),
        "2g": Outcome("200", same_class=True, cpu_ms=1300, peak_mb=600),
    }
    photo = {
        "title": "PNG",
        "bytes": 12_345_678,
        "outcomes": {name: outcome.to_json() for name, outcome in outcomes.items()},
    }
    figures = table_figures(photo)
    assert tables.header(figures) == ("photo", "file MB", "CPU ms", "peak MB", "512 MB", "1 GB")
    assert list(tables.rows(figures)) == [("PNG", "12.3", "**1200**", "700", "413", "ok")]


def test_verdict_counts_what_misses_a_target() -> None:
    refused = Outcome("413")
    other = Outcome("200", same_class=False, health_ms=1500)
    outcomes = {
        "a": {"512m": refused, "1g": OK, "2g": OK},
        "b": {"512m": refused, "1g": refused, "2g": OK},
        "c": {"512m": Outcome("killed"), "1g": other, "2g": OK},
    }
    assert cli.verdict_figures(outcomes) == {REFUSED: 1, OTHER_CLASS: 1, LOST: 1, HEALTH: 1.5}


@pytest.mark.parametrize(
    ("options", "results", "status", "made"),
    [
        ([], ["503"], 1, 1),
        (["--gross"], ["200"], 0, 1),
        (["--gross"], ["503", "200"], 0, 2),
        (["--gross"], ["503", "503", "503"], 1, 3),
    ],
)
def test_gross_sends_the_photos_again_until_the_targets_are_met(
    options: list[str],
    results: list[str],
    status: int,
    made: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = [*results]

    def send_all(size: Any, photos: Any, _: Any, outcomes: Any, **__: Any) -> float:
        result = left.pop(0)
        for photo in photos:
            outcomes[photo.name][size.text] = replace(OK, result=result)
        return 100.0

    monkeypatch.setattr(cli, "_measure", send_all)
    tiny = Photo(kinds.JPEGS[0], TINY, "tiny")
    monkeypatch.setattr(kinds, "quick_photos", lambda: [tiny])
    monkeypatch.setattr(PhotoCache, "read", lambda _, photo: b"")
    assert cli.photos("", ["--quick", "--no-docker", *options]) == status
    assert len(left) == len(results) - made


@pytest.mark.parametrize(("expected", "same"), [(282, True), (285, True), (281, False), (1, False)])
def test_nearly_equal_classes_are_the_same(expected: int, same: bool) -> None:
    found = {285: 0.39, 282: 0.36, 281: 0.17}
    predictions = [{"index": index, "probability": value} for index, value in found.items()]
    assert is_class(expected, {"predictions": predictions}) == same


def test_only_selects_photos_by_name() -> None:
    with pytest.raises(UsageError, match="No photo has jpeg and xyz in its name"):
        cli.photos("", ["--only", "jpeg", "--only", "xyz", "--no-docker"])


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is read from Linux's /proc"
)
def test_command_sends_photos_to_a_real_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    unreadable = Kind("Text", "txt", "image/png", lambda _, size: b"text")
    tiny = [
        Photo(kinds.JPEGS[0], (640, 480), "tiny"),
        Photo(unreadable, TINY, "tiny"),
    ]
    monkeypatch.setattr(kinds, "quick_photos", lambda: tiny)
    monkeypatch.setattr(cli, "PhotoCache", functools.partial(PhotoCache, folder=tmp_path))
    path = tmp_path / "photos.json"
    # when
    status = cli.photos("", ["--quick", "--no-docker", "--memory", "512m", "--json", str(path)])
    # then
    assert status == 0  # 1 GB alone counts
    figures = json.loads(path.read_text())
    jpeg, text = figures["photos"]
    assert jpeg["outcomes"]["512m"]["result"] == "200"
    assert jpeg["outcomes"]["512m"]["same_class"]
    assert jpeg["outcomes"]["512m"]["peak_mb"] > 50
    assert text["outcomes"]["512m"]["result"] == "415"
    out = capsys.readouterr().out
    assert "| JPEG baseline 4:2:0, tiny |" in out
    assert "Text, tiny, 512m: 415" in out


def test_small_page_and_scan_are_of_one_class(picture: Picture) -> None:
    """The pixels that the model sees are alike."""
    scan = read_image(kinds.SCAN.make(picture, (1240, 1754)), 224)
    assert difference(scan, read_image(picture.small_page(), 224)) < 12
