"""ICC profiles for the tests, built from the specification (ICC.1:2022)."""

import struct
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.float64]
"""[n, 3 or 4]; RGB and inks from 0 to 1"""

Chromaticity = tuple[float, float]

D65: Final = (0.3127, 0.3290)
D50: Final = (0.3457, 0.3585)
D50_XYZ: Final = np.array([0.9642, 1.0, 0.8249])
"""White of the profile connection space (7.2.16)"""

_BRADFORD: Final = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
"""Linear Bradford model (annex E)"""


def _chromaticity_to_xyz(chromaticity: Chromaticity) -> Colours:
    x, y = chromaticity
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _xyz(*numbers: float) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*numbers)


def _fixed(*numbers: float) -> bytes:
    """s15Fixed16Number (4.6)."""
    return struct.pack(f">{len(numbers)}i", *(round(65536 * number) for number in numbers))


def gamma_curve(gamma: float) -> bytes:
    """curveType with one entry (10.6)."""
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma))


def sampled_curve(points: int, function: Callable[[NDArray[np.float64]], Colours]) -> bytes:
    """curveType with `points` entries."""
    values = np.round(65535 * function(np.linspace(0, 1, points))).astype(">u2").tobytes()
    return b"curv" + bytes(4) + struct.pack(">I", points) + values


def parametric_curve(kind: int, *numbers: float) -> bytes:
    """parametricCurveType (10.18)."""
    return b"para" + bytes(4) + struct.pack(">H2x", kind) + _fixed(*numbers)


def linear_light(values: NDArray[np.float64]) -> Colours:
    """sRGB's transfer function (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


SRGB_CURVE: Final = parametric_curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def rgb_profile(
    primaries: tuple[Chromaticity, Chromaticity, Chromaticity],
    white: Chromaticity = D65,
    curve: bytes = SRGB_CURVE,
) -> bytes:
    """A display's profile of three primaries and a curve (8.3.3)."""
    columns = rgb_to_xyz(primaries, white).T
    tags = {b"%cXYZ" % name: _xyz(*column) for name, column in zip(b"rgb", columns, strict=True)}
    return profile(b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def rgb_to_xyz(
    primaries: tuple[Chromaticity, Chromaticity, Chromaticity], white: Chromaticity
) -> Colours:
    """The matrix from linear RGB to XYZ under D50."""
    columns = np.array([_chromaticity_to_xyz(primary) for primary in primaries]).T
    whites = _chromaticity_to_xyz(white)
    matrix = columns * np.linalg.solve(columns, whites)
    scale = np.diag((_BRADFORD @ D50_XYZ) / (_BRADFORD @ whites))
    adapted: Colours = np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix
    return adapted


SRGB_PRIMARIES: Final = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def grey_profile(curve: bytes) -> bytes:
    """A monochrome display's profile (8.4.4)."""
    return profile(b"GRAY", b"XYZ ", {b"kTRC": curve})


def cmyk_profile(
    to_srgb: Callable[[Colours], Colours], kind: bytes = b"mft2", points: int = 9
) -> bytes:
    """A press's profile of a table with `points` for each ink, in lut8Type (`mft1`), lut16Type
    (`mft2`) or lutAToBType (`mAB `)."""
    return profile(b"CMYK", b"Lab ", {b"A2B0": table_tag(4, points, to_srgb, kind)}, device=b"prtr")


def table_tag(
    channels: int, points: int, to_srgb: Callable[[Colours], Colours], kind: bytes
) -> bytes:
    """A table of `points` for each channel, from device colours to Lab (10.10 to 10.12)."""
    axes = np.meshgrid(*[np.linspace(0, 1, points)] * channels, indexing="ij")
    lab = srgb_to_lab(to_srgb(np.stack(axes, -1).reshape(-1, channels))) + np.array([0, 128, 128])
    if kind == b"mAB ":
        table = _whole_numbers(lab, (655.35, 257, 257), ">u2")
        return _a_to_b(channels, bytes([points] * channels), table)
    start = kind + bytes(4) + bytes((channels, 3, points, 0)) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    if kind == b"mft1":
        identity, table = bytes(range(256)), _whole_numbers(lab, (2.55, 1, 1), "u1")
    else:
        identity, table = (
            struct.pack(">2H", 0, 65535),
            _whole_numbers(lab, (652.8, 256, 256), ">u2"),
        )
        start += struct.pack(">2H", 2, 2)
    return start + identity * channels + table + identity * 3


def _whole_numbers(lab: Colours, scale: tuple[float, float, float], kind: str) -> bytes:
    most = np.iinfo(kind).max
    return bytes(np.round(lab * np.array(scale)).clip(0, most).astype(kind).tobytes())


def _a_to_b(channels: int, points: bytes, table: bytes) -> bytes:
    """lutAToBType with straight curves."""
    curve = b"curv" + bytes(8)
    head = 32 + 3 * len(curve)
    body = points.ljust(16, b"\0") + b"\2\0\0\0" + table
    body += bytes(-len(body) % 4)
    offsets = struct.pack(">5I", 32, 0, 0, head, head + len(body))  # B, matrix, M, table, A
    shape = bytes((channels, 3, 0, 0))
    return b"mAB " + bytes(4) + shape + offsets + 3 * curve + body + channels * curve


def srgb_to_lab(colours: Colours) -> Colours:
    """CIE L*a*b* under D50 of sRGB colours from 0 to 1."""
    xyz = linear_light(colours) @ rgb_to_xyz(SRGB_PRIMARIES, D65).T / D50_XYZ
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def profile(
    space: bytes,
    connection: bytes,
    tags: Mapping[bytes, bytes],
    *,
    device: bytes = b"mntr",
    version: int = 0x04000000,
) -> bytes:
    """A profile of `tags`, with the header of 7.2."""
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x12s", start + len(body), version, device, space, connection, b"acsp",
        _fixed(*D50_XYZ),
    )  # fmt: skip
    return header.ljust(128, b"\0") + table + body


DISPLAY_P3: Final = rgb_profile(((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)))
"""SMPTE EG 432-1 with sRGB's white and curve"""
ADOBE_RGB: Final = rgb_profile(
    ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), curve=gamma_curve(563 / 256)
)
"""Adobe RGB (1998) Color Image Encoding, 4.3"""
PROPHOTO: Final = rgb_profile(
    ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), D50, gamma_curve(1.8)
)
"""ROMM RGB (ISO 22028-2), without the straight part of its curve"""

SRGB_PROFILES: Final = {
    "parametric": rgb_profile(SRGB_PRIMARIES),
    "1024 points": rgb_profile(SRGB_PRIMARIES, curve=sampled_curve(1024, linear_light)),
    "26 points": rgb_profile(SRGB_PRIMARIES, curve=sampled_curve(26, linear_light)),
}
"""Kinds of sRGB profiles that encoders embed; the smallest ones have few points."""
