"""What the user sees while it runs, on a clock that the tests turn."""

import io

import pytest

from classifier.batch.progress import Progress


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some shells set it."""
    monkeypatch.setenv("COLUMNS", "80")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def progress(stream: io.StringIO, clock: Clock, total: int, *, bar: bool = True) -> Progress:
    """With a total that is known from the beginning."""
    made = Progress(stream, lambda: total, bar=bar, clock=clock)
    made.join()
    return made


def run(made: Progress, clock: Clock, images: int, seconds: float) -> None:
    for number in range(images):
        clock.now += seconds
        made.finished(has_problem=number == 1)


def test_a_terminal_has_a_bar_with_rate_and_time_left() -> None:
    stream, clock = Terminal(), Clock()
    made = progress(stream, clock, 100)
    run(made, clock, 25, 0.5)
    last = stream.getvalue().rsplit("\x1b[K", 1)[1]
    assert last == "[######..................] 25 of 100 images, 2/s, 0:38 left, 1 with a problem"
    made.end()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_bar_is_not_drawn_for_every_image() -> None:
    stream, clock = Terminal(), Clock()
    run(progress(stream, clock, 100), clock, 100, 0.01)
    assert 5 <= stream.getvalue().count("\r") <= 10


def test_elsewhere_a_line_comes_every_few_seconds_without_control_characters() -> None:
    stream, clock = io.StringIO(), Clock()
    made = progress(stream, clock, 50)
    run(made, clock, 50, 0.5)
    made.end()
    assert stream.getvalue().splitlines() == [
        "20 of 50 images, 2/s, 0:15 left, 1 with a problem",
        "40 of 50 images, 2/s, 0:05 left, 1 with a problem",
    ]


def test_images_with_a_row_count_for_the_bar_and_not_for_the_rate() -> None:
    clock = Clock()
    made = progress(io.StringIO(), clock, 20_000)
    for _ in range(10_000):
        made.known()
    run(made, clock, 2, 0.5)
    assert made.line() == "10,002 of 20,000 images, 2/s, 1:23:19 left, 1 with a problem"


def test_without_a_total_there_is_a_count() -> None:
    stream, clock = Terminal(), Clock()
    run(progress(stream, clock, 0), clock, 1, 1.0)
    assert stream.getvalue() == "\r\x1b[K1 images, 1/s"


def test_a_terminal_that_shows_the_rows_has_no_bar() -> None:
    stream, clock = Terminal(), Clock()
    run(progress(stream, clock, 100, bar=False), clock, 10, 1.0)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("columns", [20, 40])
def test_a_bar_fits_into_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream, clock = Terminal(), Clock()
    run(progress(stream, clock, 100), clock, 1, 1.0)
    assert len(stream.getvalue().removeprefix("\r\x1b[K")) == columns - 1
