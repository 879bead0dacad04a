"""Ten thousand photos through S3 Batch Operations: python -m tests.measure.batch

The objects are in moto's S3, over HTTP; 1 % are bad, of all kinds, and 4 % of the photos meet
errors of S3: 503, 500, connections that are closed before or within the response. A job as
docs/bucket.md describes it invokes the function in this process for an inventory, with tasks that
are delivered twice and in any order. A second job runs what failed. The reports of both, read by
batch_report.py, are compared with what the classifier says of each content.

examples:
  python -m tests.measure.batch
  python -m tests.measure.batch --quick --gross     1,000 photos, for continuous integration

exit status: 0 all targets met, 1 a target missed, 2 invalid command
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import boto3

sys.path.insert(0, "function")

from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.settings import SHIPPED_MODEL
from classifier.telemetry.metrics import Metrics
from local.common.cli import OneLineParser, main
from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from tests.support import batch_run
from tests.support.batch_job import documented, with_bucket
from tests.support.s3 import s3_server
from tests.support.s3_faults import Faults

PHOTOS: Final = 10_000
QUICK_PHOTOS: Final = 1_000

WRONG: Final = Threshold("photos without exactly one right result", 0)
MISCOUNTED: Final = Threshold("photos that the reports count wrongly", 0)
DIFFERING: Final = Threshold("photos with two results, delivered twice", 0)
CPU: Final = Threshold("CPU time of a photo, with S3 and the job", 60, "ms")

# On an AMD EPYC: 22 ms.
TARGETS: Final = (WRONG, MISCOUNTED, DIFFERING, CPU)


def measure(count: int) -> Figures:
    classifier = Classifier(load_model(str(SHIPPED_MODEL)), Metrics(), max_pixels=64_000_000)
    photos = batch_run.make_photos(count)
    truth = batch_run.Truth(classifier)
    truth.check_problems(photos)
    faults = Faults()
    request = with_bucket(documented("job.json"), batch_run.OWN)
    with s3_server(faults.around) as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment | batch_run.ENVIRONMENT)
        s3 = boto3.client("s3")
        with batch_run.stored(s3, photos), batch_run.function_of(classifier) as invoke:
            planned = batch_run.plan_faults(faults, photos)
            before = time.process_time()
            ended = batch_run.run(s3, invoke, faults, photos, truth, request, Path(folder))
            seconds = time.process_time() - before
    bad = sum(bool(each.problem) for each in photos.values())
    stuck, first, both = planned["stuck"], ended.after_first, ended.after_both
    found = {
        "classified": (first["classified"], count - bad - stuck),
        "permanent": (sum(first["permanent"].values()), bad),
        "temporary": (sum(first["temporary"].values()), stuck),
        "classified at last": (both["classified"], count - bad),
        "permanent at last": (sum(both["permanent"].values()), bad),
        "temporary at last": (sum(both["temporary"].values()), 0),
        "run again": (both["replaced"], stuck),
        "twice": (both["twice"], 0),
        "missing": (both["missing"], 0),
    }
    errors = ", ".join(f"{number} {kind}" for kind, number in faults.served.most_common())
    print(f"{count:,} photos, {bad} bad; errors of S3: {errors}")
    print(f"{ended.first.invocations:,} invocations, {ended.first.redriven} tasks tried again")
    for name, (counted, expected) in found.items():
        print(f"{counted:>9,}  {name}" + (f": {expected:,} expected" * (counted != expected)))
    return {
        WRONG.name: len({*ended.wrong, *ended.missing, *ended.twice}),
        MISCOUNTED.name: sum(abs(counted - expected) for counted, expected in found.values()),
        DIFFERING.name: len(ended.first.differing),
        CPU.name: 1000 * seconds / count,
    }


def command(arguments: Sequence[str] | None = None) -> int:
    parser = OneLineParser(
        prog="python -m tests.measure.batch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_verdict_options(parser, repetitions=1)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_PHOTOS:,} photos instead of {PHOTOS:,}"
    )
    options = parser.parse_args(arguments)
    logging.disable(logging.ERROR)  # hundreds of injected errors
    count = QUICK_PHOTOS if options.quick else PHOTOS
    return judge(lambda: measure(count), TARGETS, repeat=options.repeat, gross=options.gross)


if __name__ == "__main__":
    main(command)
