"""Labels files that the build reads and writes."""

from hashlib import sha256
from pathlib import Path

import pytest

from classifier.artifact import Label
from classifier.model import read_artifact
from local.models import build
from local.models.photos import class_of
from local.models.sources.labels import LabelsError, read_labels, write_labels
from tests.models.networks import SIZE, grouped_rank_4
from tests.support.pictures import photo

LABELS = [Label("tabby", "n02123045"), Label("big\u2028cat", None), Label("猫", None)]


def test_written_labels_are_read_back(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.txt", LABELS)
    assert read_labels(tmp_path / "labels.txt") == LABELS


def test_build_writes_labels_without_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes("\ufeffcat\r\nёж\r\n\r\n".encode())
    write_labels(tmp_path / "labels.txt", read_labels(tmp_path / "names.txt"))
    assert (tmp_path / "labels.txt").read_bytes() == "cat\nёж\n".encode()


def test_built_model_has_the_labels_and_the_checksum_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    photo().save(tmp_path / "photos" / "cat.png")
    (tmp_path / "names.txt").write_bytes("\ufeffcat\r\nёж\r\n猫\r\nkočka\r\nقطة\r\n\r\n".encode())
    out = tmp_path / "out"
    given = {
        "--onnx": grouped_rank_4(tmp_path / "net.onnx"),
        "--labels": tmp_path / "names.txt",
        "--calibration": tmp_path / "photos",
        "--size": SIZE,
        "--out": out,
        "--fp32": tmp_path / "fp32.onnx",
    }
    build.main([str(part) for pair in given.items() for part in pair])
    artifact = read_artifact(str(out))
    assert [label.name for label in artifact.labels] == ["cat", "ёж", "猫", "kočka", "قطة"]
    written = (out / "labels.txt").read_bytes()
    assert artifact.card.content["labels_sha256"] == sha256(written).hexdigest()


def test_folder_for_a_labels_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="cannot be read: Is a directory"):
        read_labels(tmp_path)


@pytest.mark.parametrize("folder", ["chaîne", "chai\u0302ne", "CHAI\u0302NE"])
def test_folder_has_its_class_however_accents_are_stored(folder: str) -> None:
    labels = [Label("chien", None), Label("chaîne", None)]
    assert class_of(Path("photos", folder, "1.jpg"), Path("photos"), labels) == 1
