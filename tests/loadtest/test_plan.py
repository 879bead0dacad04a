"""Wave plans, payloads and URLs."""

from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from local.common.cli import UsageError
from local.common.paths import SAMPLE
from local.loadtest.payload import find_images, multipart, read_payloads
from local.loadtest.plan import WavePlan
from local.loadtest.target import parse_url


def test_waves_are_due_at_absolute_times() -> None:
    plan = WavePlan(parallel=3, period=0.25, repeat=1000)
    assert [plan.due(wave) for wave in (0, 1, 999)] == [0, 0.25, 249.75]
    assert plan.requests == 3000
    assert plan.offered_rps == 12


@pytest.mark.parametrize("period", [0.001, 0.3, 1, 7, 600])
def test_process_starts_ahead_of_its_wave_and_between_two_others(period: float) -> None:
    plan = WavePlan(1, period, 100)
    lead = plan.due(50) - plan.prepare_time(50)
    assert lead >= 1
    assert lead <= max(30, 2 * 1.5)
    if period < 20:
        assert (lead / period) % 1 == pytest.approx(0.5)


def test_without_a_period_everything_is_made_before_the_start() -> None:
    assert WavePlan(1, 0, 100).prepare_time(99) < 0


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        *(((0, 1, 1), "N"), ((-1, 1, 1), "N")),
        *(((1, -1, 1), "T"), ((1, float("nan"), 1), "T"), ((1, float("inf"), 1), "T")),
        *(((1, 1, 0), "R"), ((1, 1, -3), "R")),
    ],
)
def test_invalid_plan_raises(plan: tuple[int, float, int], name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} must be"):
        WavePlan(*plan)


def test_payload_is_a_form_with_one_file() -> None:
    body = multipart('a "b".png', b"\x89PNG\r\n--x")
    form = message_from_bytes(f"Content-Type: {body.content_type}\r\n\r\n".encode() + body.content)
    parts = form.get_payload()
    assert isinstance(parts, list)
    (part,) = parts
    assert isinstance(part, Message)
    assert part.get_param("name", header="content-disposition") == "file"
    assert part.get_filename() == "a %22b%22.png"
    assert part.get_content_type() == "image/png"
    assert part.get_payload(decode=True) == b"\x89PNG\r\n--x"


def test_find_images_in_a_folder(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "folder.png").mkdir()
    assert [image.name for image in find_images(tmp_path)] == ["a.png", "b.jpg"]
    assert [b"b.jpg" in payload.content for payload in read_payloads(tmp_path)] == [False, True]


def test_sample_exists() -> None:
    assert find_images(SAMPLE) == [SAMPLE]


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x/", "http://", "http://x:y/", "http://x/ y"]
)
def test_invalid_url_raises(url: str) -> None:
    with pytest.raises(UsageError, match="is not a URL"):
        parse_url(url)
