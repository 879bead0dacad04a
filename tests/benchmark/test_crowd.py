"""Many clients at once: `make bench-crowd`."""

import json
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from local.benchmark import crowd
from local.benchmark.crowd import (
    KILLED,
    LARGE,
    OTHER,
    RATE,
    SLOW,
    SMALL,
    STARVED,
    Crowd,
    Measured,
    Responses,
)


def responses(**counts: int) -> Responses:
    return Responses(
        Counter({name.lstrip("_"): count for name, count in counts.items()}),
        [0.1] * counts.get("_200", 0),
    )


def test_large_png_is_allowed_and_decodes() -> None:
    data = crowd.large_png()
    assert 18e6 < len(data) < 20e6
    with Image.open(BytesIO(data)) as image:
        image.load()
        assert image.size == crowd.PNG_SIZE


def test_mix_adds_crowds_of_two_kinds() -> None:
    assert [dict(each.clients) for each in crowd.crowds([4], mix=False)] == [{LARGE: 4}]
    mixed = crowd.crowds([4], mix=True)[1:]
    assert [set(each.clients) for each in mixed] == [{SMALL, LARGE}, {SMALL, SLOW}]


def test_verdict_counts_other_responses_kills_and_starved_clients() -> None:
    good = Measured(Crowd({LARGE: 4}), {LARGE: responses(_200=20, _503=9)}, 10, "", 300, 400)
    bad = Measured(
        Crowd({SMALL: 2, LARGE: 2}),
        {SMALL: responses(_200=5, _500=1, ConnectionResetError=2), LARGE: responses(_503=7)},
        10,
        "killed for lack of memory",
        0,
        0,
    )
    assert crowd.verdict_figures([good]) == {OTHER: 0, KILLED: 0, RATE: 2, STARVED: 0}
    assert crowd.verdict_figures([good, bad]) == {OTHER: 3, KILLED: 1, RATE: 0.5, STARVED: 1}
    text = crowd.table([good, bad])
    assert "1 500, 2 ConnectionResetError" in text
    assert "killed for lack of memory" in text


@pytest.mark.parametrize(
    ("options", "rates", "status", "made"),
    [
        ([], [0.1], 1, 1),
        (["--gross"], [0.3], 0, 1),  # more than half of 0.5
        (["--gross"], [0.1, 0.3], 0, 2),
        (["--gross"], [0.1, 0.1, 0.1], 1, 3),
    ],
)
def test_gross_repeats_the_crowds_until_they_meet_the_targets(
    options: list[str], rates: list[float], status: int, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [*rates]

    def run(chosen: Crowd, *_: object, **__: object) -> Measured:
        accepted = responses(_200=round(100 * left.pop(0)))
        return Measured(chosen, {LARGE: accepted}, 100, "", 300, 400)

    monkeypatch.setattr(crowd, "run", run)
    assert crowd.measure(["--clients", "2", "--no-docker", *options]) == status
    assert len(left) == len(rates) - made


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is read from Linux's /proc"
)
@pytest.mark.slow
def test_command_measures_a_real_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    monkeypatch.setattr(crowd, "MIX_CLIENTS", 2)
    monkeypatch.setattr(crowd, "SLOW_SECONDS", 0.1)
    path = tmp_path / "crowd.json"
    # when
    crowd.measure(["--clients", "2", "--mix", "--seconds", "2", "--no-docker", "--json", str(path)])
    # then
    found = json.loads(path.read_text())["crowds"]
    assert [each["ended"] for each in found] == ["", "", ""]
    for each in found:
        for kind in each["responses"].values():
            assert set(kind["statuses"]) <= {"200", "503"}
    assert found[0]["responses"][LARGE]["statuses"]["200"] >= 1
    assert "crowd" in capsys.readouterr().out
