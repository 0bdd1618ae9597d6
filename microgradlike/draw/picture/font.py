"""The font that ships with the package: how wide a text is, and a small font file with just its letters.

Reads and writes TrueType tables; knows nothing of pictures. The files in fonts/ have no kerning and no
composite glyphs (fonts/build.py saw to that), so a text's width is the sum of its advances and a subset
is a concatenation of outlines.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import unicodedata
import zlib
from collections.abc import Iterable
from functools import cached_property, lru_cache
from itertools import groupby
from pathlib import Path

FOLDER = Path(__file__).parent / "fonts"
FAMILY = "microgradlike Sans"
FALLBACKS = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
FOREIGN = (  # for what this font lacks: other scripts, emoji
    "'Noto Sans CJK KR', 'Apple SD Gothic Neo', 'Malgun Gothic', 'Noto Sans KR', NanumGothic, 'Noto Sans CJK JP', "
    "'Hiragino Sans', 'Yu Gothic', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans', 'DejaVu Sans', 'Noto Color Emoji', "
    "'Segoe UI Emoji', sans-serif"
)
MISSING = 1.0  # em, for a character that another font must draw: generous, so that the text fits its box


class Font:
    """One weight of the font.

    >>> font(bold=False).has("∂"), font(bold=False).has("한")
    (True, False)
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _tables(self) -> dict[str, bytes]:
        data = self.path.read_bytes()
        count = struct.unpack_from(">H", data, 4)[0]
        tables = {}
        for i in range(count):
            tag, _, offset, length = struct.unpack_from(">4sLLL", data, 12 + 16 * i)
            tables[tag.decode("ascii")] = data[offset : offset + length]
        return tables

    @cached_property
    def glyph_of(self) -> dict[int, int]:
        """Glyph number by code point, from the format 4 character map."""
        cmap = self._tables["cmap"]
        for i in range(struct.unpack_from(">H", cmap, 2)[0]):
            platform, encoding, at = struct.unpack_from(">HHL", cmap, 4 + 8 * i)
            if (platform, encoding) == (3, 1):
                break
        twice = struct.unpack_from(">H", cmap, at + 6)[0]
        segments = f">{twice // 2}H"
        ends = struct.unpack_from(segments, cmap, at + 14)
        starts = struct.unpack_from(segments, cmap, at + 16 + twice)
        deltas = struct.unpack_from(segments, cmap, at + 16 + 2 * twice)
        ranges_at = at + 16 + 3 * twice
        offsets = struct.unpack_from(segments, cmap, ranges_at)
        found = {}
        for k, (start, end, delta, offset) in enumerate(zip(starts, ends, deltas, offsets, strict=True)):
            for code in range(start, min(end, 0xFFFE) + 1):
                glyph = code
                if offset:
                    glyph = struct.unpack_from(">H", cmap, ranges_at + 2 * k + offset + 2 * (code - start))[0]
                if glyph:
                    found[code] = (glyph + delta) & 0xFFFF
        return found

    @cached_property
    def _units(self) -> int:
        return int(struct.unpack_from(">H", self._tables["head"], 18)[0])

    def _metrics(self, glyph: int) -> bytes:
        long_ones = struct.unpack_from(">H", self._tables["hhea"], 34)[0]
        hmtx = self._tables["hmtx"]
        if glyph < long_ones:
            return hmtx[4 * glyph : 4 * glyph + 4]
        bearing = 4 * long_ones + 2 * (glyph - long_ones)
        return hmtx[4 * long_ones - 4 : 4 * long_ones - 2] + hmtx[bearing : bearing + 2]

    @cached_property
    def advances(self) -> dict[str, float]:
        """Width of every character of the font, in em."""
        return {chr(c): struct.unpack(">H", self._metrics(g)[:2])[0] / self._units for c, g in self.glyph_of.items()}

    def has(self, text: str) -> bool:
        """Whether the font can draw all of `text`."""
        return all(character in self.advances for character in text)

    def width(self, text: str, size: float) -> float:
        """Width of `text` at `size`, in the unit of `size`."""
        advances = self.advances
        return size * sum(advances[c] if c in advances else _foreign(c) for c in text)

    def subset(self, characters: Iterable[str]) -> bytes:
        """A WOFF file with the glyphs of these characters alone (those that the font has)."""
        codes = sorted({ord(c) for c in characters if ord(c) in self.glyph_of} | {0x20})
        glyphs = [0, *(self.glyph_of[code] for code in codes)]
        source = self._tables
        long_offsets = struct.unpack_from(">h", source["head"], 50)[0]
        loca = struct.unpack(
            f">{len(source['loca']) // (4 if long_offsets else 2)}{'L' if long_offsets else 'H'}", source["loca"]
        )
        unit = 1 if long_offsets else 2
        outlines = [source["glyf"][unit * loca[g] : unit * loca[g + 1]] for g in glyphs]
        outlines = [outline + bytes(-len(outline) % 4) for outline in outlines]
        places = [0]
        for outline in outlines:
            places.append(places[-1] + len(outline))
        tables = {
            "OS/2": source["OS/2"],
            "cmap": _character_map(codes),
            "glyf": b"".join(outlines) or bytes(4),
            "head": source["head"][:8] + bytes(4) + source["head"][12:50] + struct.pack(">hh", 1, 0),
            "hhea": source["hhea"][:34] + struct.pack(">H", len(glyphs)),
            "hmtx": b"".join(self._metrics(g) for g in glyphs),
            "loca": struct.pack(f">{len(places)}L", *places),
            "maxp": source["maxp"][:4] + struct.pack(">H", len(glyphs)) + source["maxp"][6:],
            "name": source["name"],
            "post": struct.pack(">LlhhLLLLL", 0x00030000, 0, -150, 100, 0, 0, 0, 0, 0),
        }
        return _woff(tables)


@lru_cache(maxsize=2)
def font(bold: bool = False) -> Font:
    """The regular or the bold weight."""
    return Font(FOLDER / ("bold.ttf" if bold else "regular.ttf"))


def width(text: str, size: float, bold: bool = False) -> float:
    """Width of `text` in pixels at `size` pixels.

    >>> round(width("value", 10), 2)
    25.21
    """
    return font(bold).width(text, size)


def embedded(regular: str, bold: str) -> tuple[str, str]:
    """The family name and the `@font-face` rules that carry the letters of these two texts with a picture.

    The name is that of the letters, so that two pictures on one page do not take each other's font.
    """
    letters = tuple(
        "".join(sorted({c for c in text if font(b).has(c)} | {" "})) for b, text in ((False, regular), (True, bold))
    )
    return _embedded(*letters)


@lru_cache(maxsize=64)
def _embedded(regular: str, bold: str) -> tuple[str, str]:
    family = "mg-" + hashlib.sha256(f"{regular}\0{bold}".encode()).hexdigest()[:10]
    rules = []
    for is_bold, letters in ((False, regular), (True, bold)):
        if letters.strip():
            data = base64.b64encode(font(is_bold).subset(letters)).decode("ascii")
            weight = "bold" if is_bold else "normal"
            source = f"url(data:font/woff;base64,{data}) format('woff')"
            rules.append(f"@font-face{{font-family:{family};font-weight:{weight};src:{source}}}")
    return family, "".join(rules)


def runs(text: str, bold: bool = False) -> list[tuple[str, bool]]:
    """`text` in pieces: those that the font has (True) and those that it lacks (False).

    >>> runs("∂손실/∂w")
    [('∂', True), ('손실', False), ('/∂w', True)]
    """
    advances = font(bold).advances
    return [("".join(piece), own) for own, piece in groupby(text, key=advances.__contains__)]


@lru_cache(maxsize=4096)
def _foreign(character: str) -> float:
    """Width in em to reserve for a character that this font lacks."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF" and ord(character) < 0x1F000:
        return 1.0
    return 1.4 if ord(character) >= 0x1F000 else MISSING


def _character_map(codes: list[int]) -> bytes:
    """A format 4 map from these sorted code points to glyphs 1, 2, 3 …"""
    runs: list[list[int]] = []
    for glyph, code in enumerate(codes, 1):
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code, (glyph - code) & 0xFFFF])
    runs.append([0xFFFF, 0xFFFF, 1])
    n = len(runs)
    power = 1 << (n.bit_length() - 1)
    starts, ends, deltas = zip(*runs, strict=True)
    body = struct.pack(">HHHH", 2 * n, 2 * power, power.bit_length() - 1, 2 * (n - power))
    body += struct.pack(f">{n}HH{n}H{n}H{n}H", *ends, 0, *starts, *deltas, *[0] * n)
    return struct.pack(">HHHHL", 0, 1, 3, 1, 12) + struct.pack(">HHH", 4, len(body) + 6, 0) + body


def _checksum(data: bytes) -> int:
    padded = data + bytes(-len(data) % 4)
    return int(sum(struct.unpack(f">{len(padded) // 4}L", padded)) & 0xFFFFFFFF)


def _woff(tables: dict[str, bytes]) -> bytes:
    """The tables in one WOFF 1.0 file (https://www.w3.org/TR/WOFF/)."""
    n = len(tables)
    power = 1 << (n.bit_length() - 1)
    header = struct.pack(">LHHHH", 0x00010000, n, 16 * power, power.bit_length() - 1, 16 * (n - power))
    sums = {tag: _checksum(data) for tag, data in tables.items()}
    place, directory = 12 + 16 * n, b""
    for tag, data in tables.items():
        directory += struct.pack(">4sLLL", tag.encode(), sums[tag], place, len(data))
        place += len(data) + -len(data) % 4
    whole = (_checksum(header + directory) + sum(sums.values())) & 0xFFFFFFFF
    head = tables["head"]
    tables = {**tables, "head": head[:8] + struct.pack(">L", (0xB1B0AFBA - whole) & 0xFFFFFFFF) + head[12:]}
    at, entries, body = 44 + 20 * n, b"", b""
    for tag, data in tables.items():
        packed = zlib.compress(data, 9)
        packed = packed if len(packed) < len(data) else data
        entries += struct.pack(">4sLLLL", tag.encode(), at + len(body), len(packed), len(data), sums[tag])
        body += packed + bytes(-len(packed) % 4)
    return (
        struct.pack(">4sLLHHLHHLLLLL", b"wOFF", 0x00010000, at + len(body), n, 0, place, 1, 0, 0, 0, 0, 0, 0)
        + entries
        + body
    )
