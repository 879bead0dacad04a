"""The baseline: decoding and inference in a loop with the service's own code, without HTTP.

For each line on stdin, `{"images": [paths], "seconds": s}`, prints a line: CPU seconds (user and
system), wall seconds, and the seconds of each image. The first line of the output has the index of
the most probable class of each image on the command line.
"""

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

from classifier.classifier import Classifier
from local.benchmark.apps.shared import load_classifier


def main() -> None:
    classifier = load_classifier()
    images = [Path(name).read_bytes() for name in sys.argv[1:]]
    best = [classifier.classify(image, 1).predictions[0]["index"] for image in images]
    print(json.dumps(best), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        images = [Path(name).read_bytes() for name in order["images"]]
        print(json.dumps(loop(classifier, images, order["seconds"])), flush=True)


def loop(classifier: Classifier, images: list[bytes], seconds: float) -> dict[str, Any]:
    """Classify `images` in turn, each equally often, until `seconds` have passed."""
    for image in images:
        classifier.classify(image, 5)
    cpu, start = time.process_time(), time.perf_counter()
    ends = [start]
    while ends[-1] < start + seconds:
        for image in images:
            classifier.classify(image, 5)
            ends.append(time.perf_counter())
    took = [end - begin for begin, end in itertools.pairwise(ends)]
    return {"cpu_s": time.process_time() - cpu, "wall_s": ends[-1] - start, "took_s": took}


if __name__ == "__main__":
    main()
