"""The checks of a network of the user's, before the build spends its time on it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from local.models.graph.service_io import add_service_io
from local.models.parity.check import check_parity
from local.models.parity.reference import Settings
from local.models.parity.settings_check import balanced, check_settings
from local.models.photos import Preprocessing, read_pixels
from local.models.sources.source import Source


def check_source(
    source: Source,
    preprocessing: Preprocessing,
    photos: Sequence[Path],
    classes: Sequence[int | None],
    compared: int,
) -> None:
    """Print how far the service's float model agrees with the file of `source`, and how many photos
    of known classes are right; warn on stderr if they are with other settings.

    classes are those of the photos, None where unknown. `compared` is the number of photos for the
    first comparison, 0 for none. Raises `ParityError`. A source without a file is not checked.
    """
    if source.file is None:
        return
    stated = Settings(preprocessing, source.normalization, source.activation)
    if compared:
        served = add_service_io(source.network, source.normalization, source.activation)
        spread = np.linspace(0, len(photos) - 1, min(compared, len(photos))).astype(int)
        chosen = [photos[index] for index in spread]
        pixels = read_pixels(chosen, preprocessing)
        print(check_parity(source.file, stated, served, chosen, pixels))
    labelled = balanced(photos, classes)
    if labelled:
        result = check_settings(source.file, stated, labelled)
        print(result.accuracy)
        if result.warning:
            print(f"warning: {result.warning}", file=sys.stderr)
