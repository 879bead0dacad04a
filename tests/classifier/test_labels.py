"""Labels files as editors and programs write them."""

import json
import shutil
from pathlib import Path

import pytest

from classifier.artifact import Label, parse_labels
from tests.support.paths import SHIPPED_MODEL
from tests.support.pictures import SAMPLE_TOP5
from tests.support.server import serving, start_refused

BYTE_ORDER_MARK = "\ufeff"
CATS = [Label("cat", None), Label("dog", None)]


@pytest.mark.parametrize(
    "text",
    [
        "cat\ndog\n",
        "cat\ndog",
        "cat\r\ndog\r\n",
        "cat\r\ndog",
        f"{BYTE_ORDER_MARK}cat\ndog\n",
        "cat\ndog\n\n\n",
        "cat\r\ndog\r\n\r\n \t\r\n",
    ],
)
def test_labels_do_not_depend_on_line_ends_and_byte_order_mark(text: str) -> None:
    assert parse_labels(text.encode()) == CATS


def test_byte_order_mark_does_not_belong_to_the_wordnet_id() -> None:
    text = f"{BYTE_ORDER_MARK}n02123045\ttabby\r\nn07920052\tespresso\r\n"
    assert parse_labels(text.encode()) == [
        Label("tabby", "n02123045"),
        Label("espresso", "n07920052"),
    ]


@pytest.mark.parametrize("separator", "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
def test_only_lf_and_crlf_end_a_line(separator: str) -> None:
    name = f"big{separator}cat"
    assert parse_labels(f"{name}\ndog\n".encode()) == [Label(name, None), CATS[1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cat\n\ndog\n", "line 2 has no class name"),
        (b"\ncat\ndog\n", "line 1 has no class name"),
        (b"cat\r\n \t\r\ndog\r\n", "line 2 has no class name"),
        (b"n02123045\ttabby\nn07920052\t\n", "line 2 has no class name"),
        (b"", "it is empty"),
        (b"\n\r\n", "it is empty"),
        (BYTE_ORDER_MARK.encode(), "it is empty"),
        ("cat\nchien\nfrêne\n".encode("latin-1"), "line 3 is not UTF-8"),
        (b"\xef\xbb\xbfcat\nfr\xeane\n", "line 2 is not UTF-8"),
        ("cat\ndog\n".encode("utf-16"), "line 1 is not UTF-8"),
        ("cat\ndog\n".encode("utf-16-le"), "line 1 is not UTF-8"),
    ],
)
def test_unusable_labels_are_refused_with_the_line(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        parse_labels(content)
    assert "\n" not in str(refused.value)


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED_MODEL, tmp_path / "model"))


def test_unusable_labels_refuse_to_start(model_copy: Path) -> None:
    (model_copy / "labels.txt").write_bytes(b"cat\n\ndog\n")
    line = start_refused(MODEL_DIR=str(model_copy))
    assert f"labels.txt in {model_copy} cannot be used: line 2 has no class name" in line


def test_class_names_in_other_languages_are_served(
    model_copy: Path, tmp_path: Path, sample: bytes
) -> None:
    names = [f"класс {index} 猫 🐈 قطة" for index in range(1000)]
    text = BYTE_ORDER_MARK + "".join(f"{name}\r\n" for name in names)
    (model_copy / "labels.txt").write_bytes(text.encode())
    with serving(tmp_path / "log", MODEL_DIR=str(model_copy)) as server:
        response = server.client.post("/", files={"file": sample})
        page = server.client.post(
            "/",
            files={"file": sample},
            headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"},
        )
    predictions = json.loads(response.content.decode())["predictions"]
    expected = [names[index] for index in SAMPLE_TOP5]
    assert [prediction["label"] for prediction in predictions] == expected
    assert expected[0] in page.content.decode()
