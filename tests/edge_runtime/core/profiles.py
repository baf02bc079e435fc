"""ICC profiles of version 2 and 4 as cameras, phones and printers embed them, made byte by byte."""

from __future__ import annotations

import itertools
import struct

D50 = (0.9642, 1.0, 0.8249)
# Primaries as columns of X, Y and Z, adapted to D50.
P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
PROPHOTO = ((0.7977, 0.28803, 0.0), (0.13517, 0.71187, 0.0), (0.03135, 0.0001, 0.8249))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def rgb_profile(primaries: tuple[tuple[float, ...], ...], curve: tuple[float, ...] = SRGB_CURVE) -> bytes:
    """Return a profile of three primaries and one curve: sRGB's five numbers, or a gamma."""
    tags = {name: _xyz(*column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(curve))
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    """Return the profile of a grey picture."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve((gamma,))})


def cmyk_profile() -> bytes:
    """Return the profile of a printer: a table of two steps an ink."""
    corners = b"".join(bytes(_ink(*inks)) for inks in itertools.product((0, 1), repeat=4))
    matrix = b"".join(_number(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + corners + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table, b"A2B1": table})


def _ink(cyan: int, magenta: int, yellow: int, black: int) -> tuple[int, int, int]:
    """Return L, a and b, 8 bits each, of inks on paper; a and b lie around 128."""
    if black:
        return 0, 128, 128
    light = 255 - 85 * (cyan + magenta) // 1 // 2 - 20 * yellow
    return max(0, light), 128 + 60 * (magenta - cyan), 128 + 60 * (yellow - cyan)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": _description("made here"), b"wtpt": _xyz(*D50), b"cprt": b"text\0\0\0\0none\0", **tags}
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += padded
    header = struct.pack(">I", start + len(body)) + bytes(4) + struct.pack(">I", 0x02400000)
    header += kind + space + connection + bytes(12) + b"acsp" + bytes(28) + b"".join(map(_number, D50)) + bytes(48)
    return header + struct.pack(">I", len(tags)) + table + body


def _description(text: str) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text.encode() + bytes(79)


def _curve(numbers: tuple[float, ...]) -> bytes:
    kind = 0 if len(numbers) == 1 else 3
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(_number, numbers))


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_number, values))


def _number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
