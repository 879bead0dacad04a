"""Files of the photos, in build/photos: making them takes minutes."""

import hashlib
import os
from pathlib import Path
from typing import Final

from local.benchmark.photos.kinds import Photo
from local.benchmark.photos.pictures import Picture
from local.common.paths import ROOT

FOLDER: Final = ROOT / "build" / "photos"

RECIPE: Final = 1
"""Part of the folder's name. Increase it when photos of the same name get other bytes."""


class PhotoCache:
    """The photos that are made of one small photo."""

    def __init__(self, original: bytes, folder: Path | None = None) -> None:
        self.picture = Picture.read(original)
        name = hashlib.sha256(original).hexdigest()[:8]
        self._folder = (folder or FOLDER) / f"{name}-{RECIPE}"

    def read(self, photo: Photo) -> bytes:
        """The bytes of `photo`, made if they are not there. Raises `EncoderMissing`."""
        path = self._folder / photo.name
        if path.exists():
            return path.read_bytes()
        data = photo.kind.make(self.picture, photo.size)
        self._folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")  # half a file is never taken for a photo
        part.write_bytes(data)
        part.replace(path)
        return data
