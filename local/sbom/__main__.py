"""Write a software bill of materials of an image, as CycloneDX 1.6 in JSON.

It lists the model, the base image and the Python packages in the image, with their licences, their
dependencies and the allowed hashes of their files. The packages of the base image are not listed.
cyclonedx-py reads the packages from the image, not from the requirements.

examples:
  make sbom                                           of classifier-web, into build/sbom.json
  python -m local.sbom classifier --output sbom.json  of the function's image
"""

import argparse
from pathlib import Path
from typing import Final

from local.common.cli import OneLineParser, check_outputs, main
from local.common.paths import ROOT
from local.sbom.document import complete, to_json
from local.sbom.image import read_image
from local.sbom.tool import describe_packages, describe_pins, validate

_REQUIREMENTS: Final = tuple(sorted((ROOT / "function").glob("requirements*.txt")))
"""Also those of packages that a derived image may add"""


def sbom() -> int:
    """The command. Returns the exit status. Raises `UsageError`."""
    options = _parser().parse_args()
    check_outputs(options.output)
    with read_image(options.image) as image:
        document = describe_packages(image.packages)
    complete(document, image.facts, describe_pins(_REQUIREMENTS))
    text = to_json(document)
    validate(text)
    options.output.write_text(text, encoding="utf-8")
    print(f"{options.output}: {len(document['components'])} components of {options.image}")
    return 0


def _parser() -> argparse.ArgumentParser:
    summary, _, rest = (__doc__ or "").partition("\n\n")
    parser = OneLineParser(
        prog="python -m local.sbom",
        description=summary,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "image", nargs="?", default="classifier-web", help="default: %(default)s (make image)"
    )
    parser.add_argument(
        "--output", "-o", type=Path, default=Path("sbom.json"), help="default: %(default)s"
    )
    return parser


if __name__ == "__main__":
    main(sbom)
