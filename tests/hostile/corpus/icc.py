"""ICC profiles that claim large tables, and damaged ones."""

import random
import struct
from typing import Final

from PIL import Image

from tests.hostile.corpus.files import Files
from tests.support import profiles
from tests.support.pictures import encode, photo
from tests.support.profiles import Colours, profile, table_tag

_DAMAGED: Final = 60


def paper(inks: Colours) -> Colours:
    colours: Colours = (1 - inks[:, :3]) * (1 - inks[:, 3:])
    return colours


def claims() -> dict[str, bytes]:
    """Profiles for inks. Little CMS takes memory for what a table claims before it reads it."""
    table = table_tag(4, 3, paper, b"mft2")
    lists = table_tag(4, 3, paper, b"mAB ")
    return {
        "points": table[:10] + b"\x64" + table[11:],
        "curves": table[:48] + b"\x7f\xff\x7f\xff" + table[52:],
        "lists": lists.replace(bytes((3, 3, 3, 3)) + bytes(12), bytes([100] * 4) + bytes(12), 1),
        "elements": b"mpet" + bytes(4) + struct.pack(">HHI", 4, 3, 2**31) + bytes(1000),
        "largest": table_tag(4, 17, paper, b"mft2"),
        "long": table[:48] + b"\x10\0\x10\0" + random.Random(1).randbytes(1_000_000),
    }


def icc_profiles() -> Files:
    """As JPEGs in CMYK, and as PNGs."""
    cat = photo().resize((90, 60))
    inks = cat.convert("CMYK")
    for name, tag in claims().items():
        tags = dict.fromkeys((b"A2B0", b"A2B1", b"A2B2", b"D2B0"), tag)
        yield name, encode(inks, "JPEG", icc_profile=profile(b"CMYK", b"Lab ", tags))
    every = profile(b"RGB ", b"XYZ ", {number.to_bytes(4): b"curv" for number in range(30_000)})
    yield "tags", encode(cat, "PNG", icc_profile=every)
    yield "zeros", encode(cat, "PNG", icc_profile=bytes(60_000_000))
    curve = profiles.sampled_curve(4096, profiles.linear_light)
    pictures: list[tuple[Image.Image, bytes]] = [
        (cat, profiles.rgb_profile(profiles.SRGB_PRIMARIES, profiles.D50, curve)),
        (cat, profile(b"RGB ", b"Lab ", {b"A2B0": table_tag(3, 33, paper_rgb, b"mAB ")})),
        (cat.convert("L"), profiles.grey_profile(curve)),
        (inks, profile(b"CMYK", b"Lab ", {b"A2B0": table_tag(4, 3, paper, b"mft1")})),
    ]
    chance = random.Random(7)
    for picture, whole in pictures:
        for number in range(_DAMAGED):
            damaged = bytearray(whole)
            for _ in range(1 + number % 4):
                damaged[chance.randrange(min(len(damaged), 700))] = chance.randrange(256)
            yield f"{picture.mode}-{number}", encode(picture, "JPEG", icc_profile=bytes(damaged))


def paper_rgb(colours: Colours) -> Colours:
    return colours[:, ::-1]
