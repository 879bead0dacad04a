"""The formulas of ONNX Runtime's kernels, compared with the kernels of this CPU, and their use."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from local.models.graph.onnx_graph import GraphIndex
from local.models.precision import Attempt, Choice
from local.models.precision_report import rounding_line
from local.models.quantization.kernels import Step, means, products, sums
from local.models.quantization.quantize import quantize
from local.models.quantization.same_rounding import (
    align_rounding,
    different_roundings,
    roundings,
)
from tests.models.every_cpu import Probe, probe_job, probes, run
from tests.models.examples import network_of, photos_for, source_of
from tests.models.steps import BLOCK9, random_steps
from tests.support.emulation import HERE
from tests.support.paths import SHIPPED_MODEL, SHIPPED_MODELS


def model_with_steps(steps: list[Step]) -> onnx.ModelProto:
    """The shipped model, with other steps for its second Add."""
    model = onnx.load(SHIPPED_MODEL / "model.onnx")
    index = GraphIndex(model.graph)
    add = [each for each in roundings(model, index) if each.node.op_type == "Add"][1]
    for (scale, zero_point), step in zip((*add.inputs, add.output), steps, strict=True):
        index.set_constant(scale, np.array(step.scale))
        index.set_constant(zero_point, np.array(step.zero_point, np.uint8))
    return model


def test_formulas_are_those_of_the_kernels_of_this_cpu(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    wanted: list[Probe] = [("block9", "Add", BLOCK9, 1)]
    wanted += [(f"add{n}", "Add", random_steps(random, 3), 1) for n in range(40)]
    wanted += [(f"mul{n}", "Mul", random_steps(random, 3), 1) for n in range(20)]
    pools = [(n, random_steps(random, 2)) for n in (1, 9, 49, 64)]
    wanted += [(f"pool{n}", "GlobalAveragePool", steps, n) for n, steps in pools]

    actual = run(HERE, {"kernels": probe_job(wanted)}, tmp_path)["kernels"]

    for name, op_type, steps, positions in wanted:
        if op_type == "Add":
            results = list(sums(steps))
        elif op_type == "Mul":
            results = list(products(steps))
        else:
            results = list(means(steps, positions))
        found = actual[name].reshape(results[0].shape)
        assert any((found == result).all() for result in results), name


def test_kernels_of_x86_and_arm64_round_a_known_pair_differently() -> None:
    x86, *_, arm64 = sums(BLOCK9)
    assert (x86[0, 166], arm64[0, 166]) == (98, 99)
    assert (x86 != arm64).sum() == 1


@pytest.mark.parametrize("steps", [(1e-6, 1.0, 1.0), (1e-4, 1e-4, 1.0), (300.0, 1.0, 1.0)])
def test_ratios_without_fixed_point_are_computed_with_floats(steps: tuple[float, ...]) -> None:
    first, *_, last = sums([Step(np.float32(scale), 128) for scale in steps])
    assert (first == last).mean() > 0.99


@pytest.mark.parametrize("folder", SHIPPED_MODELS, ids=lambda folder: folder.name)
def test_no_node_of_a_shipped_model_rounds_differently(folder: Path) -> None:
    model = onnx.load(folder / "model.onnx")
    kinds = [op_type for _, op_type, _, _ in probes(model)]
    assert kinds.count("Add") == (9 if folder == SHIPPED_MODEL else 14)
    assert kinds.count("GlobalAveragePool") == 1
    assert different_roundings(model) == {}


def test_scale_moves_to_where_all_kernels_agree() -> None:
    # given an Add that rounds a pair differently
    before = model_with_steps(BLOCK9)
    differences = different_roundings(before)
    assert "block4.add" in differences

    # when
    after = align_rounding(before)

    # then its output has another scale, and the biases of the next layer follow
    old, new = GraphIndex(before.graph), GraphIndex(after.graph)
    changed = [
        constant.name
        for constant in before.graph.initializer
        if (old.constant(constant.name) != new.constant(constant.name)).any()
    ]
    assert different_roundings(after) == {}
    assert "block4.add_scale" in changed
    assert old.constant("block4.add_scale") == pytest.approx(
        new.constant("block4.add_scale"), rel=1e-6
    )
    weights = new.constant("block5.expand.weight_scale")
    product = new.constant("block4.add_scale") * weights
    assert (new.constant("block5.expand.bias_quantized_scale") == product).all()
    assert {name.split(".")[-1] for name in changed} <= {"add_scale", "bias_quantized_scale"}


def test_aligned_model_stays_as_it_is() -> None:
    model = onnx.load(SHIPPED_MODEL / "model.onnx")
    assert align_rounding(model) == model


def test_scale_that_cannot_be_aligned_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.models.quantization.same_rounding._LARGEST_MOVE", 0)
    before = model_with_steps(BLOCK9)
    after = align_rounding(before)
    assert different_roundings(after) == different_roundings(before)
    assert after == before


@pytest.mark.parametrize("kind", ["depthwise", "residual", "hard-swish and squeeze-excite"])
def test_own_models_are_aligned(kind: str, tmp_path: Path) -> None:
    """Without it, each of these networks has a node that rounds differently."""
    labelled = photos_for(kind, 100, size=32)
    source = source_of(network_of(kind, labelled), 32, tmp_path, kind)
    pixels = labelled.pixels[:20]
    model = quantize(source.network, pixels, source.normalization, source.activation)
    assert len(probes(model)) >= 3
    assert different_roundings(model) == {}


def test_build_names_nodes_that_round_differently() -> None:
    # given a model with such an Add, which the build chose
    model = model_with_steps(BLOCK9)
    outputs = np.zeros((0, 1000), np.float32)
    attempt = Attempt(model, (), 0.0, outputs, None)
    choice = Choice("int8", model, outputs, (attempt,))

    # then its report names the node
    (line,) = rounding_line(choice)
    assert line == "x86-64 and arm64 round 1 input of block4.add differently."
