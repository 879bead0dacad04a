"""The tables of photos and estimates."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.docs import photos

WHERE: dict[str, Any] = {"date": "2026-01-02", "machine": {"cores": 2, "cpu": "a processor"}}


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(photos, "MEASURED", tmp_path)
    return tmp_path


def row(kind: str, size: str, ratio: float, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "size": size, "measured_bytes": 50_000_000, "ratio": ratio, **more}


def test_estimates_have_the_extremes_of_each_kind(measured: Path) -> None:
    rows = [
        row("PNG", "1 MP", 1.2),
        row("PNG", "12 MP", 1.05),
        row("HEIC", "1 MP", 0, error="415"),
    ]
    figures = {**WHERE, "photos": rows, "missing": [], "malformed_files": 900, "malformed_over": 2}
    (measured / "estimates.json").write_text(json.dumps(figures))
    text = photos.estimates_table()
    assert "| PNG | 1 MP to 12 MP | 50 | 1.05 | 1.20 |" in text
    assert "| HEIC | not accepted |" in text
    assert "Of 900 malformed files, 2 took more memory" in text
    assert "2026-01-02, 2 cores of a processor" in text


def test_missing_encoder_is_named_and_unread_files_are_not(measured: Path) -> None:
    line = "HEIC: not made, it needs pillow_heif"
    figures = {
        **WHERE, "photos": [], "missing": [line], "malformed_files": 0, "malformed_over": 0
    }  # fmt: skip
    (measured / "estimates.json").write_text(json.dumps(figures))
    text = photos.estimates_table()
    assert f"{line}." in text
    assert "malformed" not in text
