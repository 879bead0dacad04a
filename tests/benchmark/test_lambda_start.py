"""The imports of a start, grouped by package."""

from local.benchmark.lambda_start import by_package, modules

LOG = """\
import time: self [us] | cumulative | imported package
import time:       300 |        300 |   encodings
import time:       500 |        900 | site
import time:      1000 |       1000 |   json
import time:      2000 |       3000 |   numpy._core
import time:       500 |       3500 | numpy
import time:      4000 |       7500 | classifier.model
import time:       250 |        250 | PIL.Image
"""


def test_imports_of_python_itself_do_not_count() -> None:
    assert [name for name, _ in modules(LOG)] == [
        "json", "numpy._core", "numpy", "classifier.model", "PIL.Image"
    ]  # fmt: skip


def test_package_has_the_time_of_its_modules_alone() -> None:
    assert list(by_package([LOG]).items()) == [
        ("the service", {"ms": 4.0, "modules": 1}),
        ("NumPy", {"ms": 2.5, "modules": 2}),
        ("Python's standard library", {"ms": 1.0, "modules": 1}),
        ("Pillow", {"ms": 0.2, "modules": 1}),
    ]


def test_least_time_of_each_module_counts() -> None:
    other = LOG.replace("4000 |", "9000 |").replace("2000 |", "1000 |")
    assert by_package([LOG, other])["the service"]["ms"] == 4.0
    assert by_package([LOG, other])["NumPy"]["ms"] == 1.5
