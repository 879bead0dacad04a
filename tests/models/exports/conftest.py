from pathlib import Path

import pytest

from tests.models.exports.building import Build, BuiltModel, Refuse, build_export
from tests.support.pictures import photo


@pytest.fixture(scope="package")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two photos."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("chelsea.png", "coffee.png"):
        photo(name).crop((0, 0, 120, 90)).save(folder / name)
    return folder


@pytest.fixture
def build(tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> Build:
    """Builds a model with the options; returns what was written and printed."""

    def built(*options: str | Path) -> BuiltModel:
        capsys.readouterr()
        out, fp32 = tmp_path / "served", tmp_path / "fp32.onnx"
        build_export(photos, out, fp32, *options)
        return BuiltModel(out, fp32, capsys.readouterr().out.splitlines())

    return built


@pytest.fixture
def refuse(tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Has a build refused with status 2; returns its line on stderr."""

    def refused(*options: str | Path) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            build_export(photos, tmp_path / "served", tmp_path / "fp32.onnx", *options)
        output = capsys.readouterr()
        assert ended.value.code == 2
        assert not output.out
        (line,) = output.err.splitlines()
        return line.removeprefix("error: ")

    return refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for an export."""
    path = tmp_path / "export"
    path.mkdir()
    return path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """A file that names five classes."""
    path = tmp_path / "names.txt"
    path.write_text("a\nb\nc\nd\ne\n")
    return path
