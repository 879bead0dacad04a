"""The output does not depend on the CPU: this one, and emulated ones of x86-64 and arm64."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from local.models.graph.onnx_graph import GraphIndex
from local.models.quantization.kernels import sums
from local.models.quantization.qdq_layers import find_layers, unsafe_layers
from local.models.quantization.quantize import quantize
from tests.models.every_cpu import Job, Outputs, Probe, photo_job, photos, probe_job, probes, run
from tests.models.examples import network_of, photos_for, source_of
from tests.models.steps import BLOCK9, random_steps
from tests.support.emulation import HERE, OTHERS, Cpu
from tests.support.paths import SHIPPED_MODEL, SHIPPED_MODELS
from tests.support.tools import needs

MODEL = SHIPPED_MODEL / "model.onnx"
PHOTOS = 20
SMALL = 32
"""Pixels of the photos of small networks"""

each_cpu = pytest.mark.parametrize(
    "cpu",
    [pytest.param(cpu, marks=needs(cpu.tool), id=str(cpu.model)) for cpu in OTHERS if cpu.tool],
)


@pytest.fixture(scope="module")
def differing() -> list[Probe]:
    """Adds that round some pairs differently."""
    random = np.random.default_rng(0)
    return [
        ("block9", "Add", BLOCK9, 1),
        *((f"add{number}", "Add", random_steps(random, 3), 1) for number in range(40)),
    ]


@pytest.fixture(scope="module")
def jobs(differing: list[Probe], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    """Photos, and all inputs of the nodes that round, of each model; and `differing`."""
    found = {"differing": probe_job(differing)}
    for folder in SHIPPED_MODELS:
        model = onnx.load(folder / "model.onnx")
        size = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
        found[f"{folder.name}, inputs"] = probe_job(probes(model))
        found[f"{folder.name}, photos"] = photo_job(model, photos(size)[:PHOTOS])
    for kind in ("depthwise", "residual"):
        labelled = photos_for(kind, 200, SMALL)
        network = source_of(
            network_of(kind, labelled), SMALL, tmp_path_factory.mktemp("network"), kind
        )
        pixels = labelled.pixels[:PHOTOS]
        model = quantize(network.network, pixels, network.normalization, network.activation)
        found[f"{kind}, inputs"] = probe_job(probes(model))
        found[f"{kind}, photos"] = photo_job(model, pixels)
    return found


@pytest.fixture(scope="module")
def here(jobs: dict[str, Job], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outputs]:
    return run(HERE, jobs, tmp_path_factory.mktemp("here"))


@pytest.mark.slow
@each_cpu
def test_logits_and_every_sum_are_the_same_bit_for_bit(
    cpu: Cpu,
    jobs: dict[str, Job],
    here: dict[str, Outputs],
    differing: list[Probe],
    tmp_path: Path,
) -> None:
    # when the models and their rounding nodes run on another processor; of those without AVX, which
    # no cloud has, the photos of one model are enough
    large = [] if cpu.model != "Nehalem" else [folder.name for folder in SHIPPED_MODELS[1:]]
    left_out = {f"{name}, photos" for name in large}
    wanted = {name: job for name, job in jobs.items() if name not in left_out}
    there = run(cpu, wanted, tmp_path)

    # then all sums, means and logits are equal
    for name in wanted:
        if name != "differing":
            exact = [part for part in here[name] if part != "probabilities"]
            for part in exact:
                assert (here[name][part] == there[name][part]).all(), (name, part)
        if name.endswith("photos"):
            assert len({row.tobytes() for row in here[name]["logits"]}) == PHOTOS
            difference = here[name]["probabilities"] - there[name]["probabilities"]
            assert np.abs(difference).max() <= 1e-6

    # and Adds whose scales are not aligned round as the formulas of their kernels say
    for name, _, steps, _ in differing:
        results = list(sums(steps))
        allowed = {"Haswell": results[:1], "Nehalem": results[:-1]}.get(
            str(cpu.model), results[-1:]
        )
        found = there["differing"][name].reshape(256, 256)
        assert any((found == result).all() for result in allowed), name


def test_jobs_have_every_input_of_every_node_that_rounds(
    jobs: dict[str, Job], here: dict[str, Outputs]
) -> None:
    nodes = {name: len(found) for name, found in here.items() if name.endswith("inputs")}
    assert list(nodes.values()) == [10, 15, 15, 3, 3]
    for name in nodes:
        for values in here[name].values():
            assert len(np.unique(values)) == 256


def test_every_layer_of_the_shipped_model_is_safe() -> None:
    model = onnx.load(MODEL)
    assert len(list(find_layers(model.graph))) == 50
    assert unsafe_layers(model.graph) == []


def test_layer_that_could_saturate_is_found() -> None:
    # given the shipped model with one pair of weights that sums to more than 128
    model = onnx.load(MODEL)
    index = GraphIndex(model.graph)
    layer = next(layer for layer in find_layers(model.graph) if layer.node.name == "head")
    weight = index.constant(layer.weight[0]).copy()
    weight[7, 2:4, 0, 0] = 65, 64
    index.set_constant(layer.weight[0], weight)

    assert unsafe_layers(model.graph) == ["head"]
