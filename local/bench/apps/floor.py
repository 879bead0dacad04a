"""The bare loop: decode and infer without HTTP, with the service's own code.

Each line on stdin, `{"images": [paths], "seconds": s}`, is answered by a line: images classified,
CPU seconds (user and system) and wall seconds. The first line of the output tells, for the images
on the command line, the index of the most probable class.
"""

import json
import sys
import time
from pathlib import Path

from classifier.classify import Classifier
from local.bench.apps.shared import load_classifier


def main() -> None:
    classifier = load_classifier()
    images = [Path(name).read_bytes() for name in sys.argv[1:]]
    best = [classifier.classify(image, 1).predictions[0]["index"] for image in images]
    print(json.dumps(best), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        images = [Path(name).read_bytes() for name in order["images"]]
        print(json.dumps(loop(classifier, images, order["seconds"])), flush=True)


def loop(classifier: Classifier, images: list[bytes], seconds: float) -> dict[str, float]:
    """Classify `images` in turn, each as often as the others, until `seconds` are over."""
    for image in images:
        classifier.classify(image, 5)
    count, cpu, start = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() - start < seconds:
        for image in images:
            classifier.classify(image, 5)
        count += len(images)
    wall = time.perf_counter() - start
    return {"images": count, "cpu_s": time.process_time() - cpu, "wall_s": wall}


if __name__ == "__main__":
    main()
