"""How the two font files beside this one were made; run by whoever wants other glyphs, never by the package.

    python build.py Inter-Regular.otf Inter-SemiBold.otf NotoSansMath-Regular.ttf NotoSans-Regular.ttf

needs fontTools. Inter gives nearly everything, Noto the few signs that Inter lacks (both under the SIL
Open Font License 1.1, see OFL.txt). The outcome has quadratic outlines and no kerning or substitution
tables, so that the width of a text is the sum of its advances: what text.py measures is what is drawn.
"""

# mypy: ignore-errors
# (fontTools has no types)

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

RANGES = (
    (0x20, 0x7E), (0xA0, 0x17F), (0x18F, 0x18F), (0x192, 0x192), (0x1CD, 0x24F), (0x1E00, 0x1EFF),  # Latin
    (0x2B0, 0x2E4), (0x300, 0x338),  # modifier letters, combining marks
    (0x370, 0x3FF), (0x400, 0x45F), (0x490, 0x491),  # Greek, Cyrillic
    (0x1D2C, 0x1D6A), (0x2010, 0x205E), (0x2070, 0x209C), (0x20A0, 0x20BF), (0x2100, 0x214F),
    (0x2150, 0x215F), (0x2190, 0x21FF), (0x2200, 0x22FF), (0x2308, 0x230B), (0x23CE, 0x23CE), (0x2400, 0x2426),
    (0x25A0, 0x25FF), (0x2C7C, 0x2C7C), (0x2713, 0x2717), (0x27E8, 0x27EB), (0xFFFD, 0xFFFD),
)  # fmt: skip
SIGNS = range(0x2190, 0x2800)  # of these, Noto's mathematical signs are taken only where wanted
WANTED = set("∛∇∈∉∘∝⊙⊗⊕⌊⌋⌈⌉⟨⟩∧∨∩∪⊂⊆∀∃≡∼≪≫⋅⋯⋮∓∗∅⇒⇔")
UNITS = 2048


def outlines(font: TTFont, name: str, scale: float) -> Any:
    pen, flat = TTGlyphPen(None), DecomposingRecordingPen(font.getGlyphSet())
    font.getGlyphSet()[name].draw(flat)
    to_quadratic = Cu2QuPen(pen, 1.0, reverse_direction="CFF " in font)
    flat.replay(TransformPen(to_quadratic, (scale, 0, 0, scale, 0, 0)))
    return pen.glyph()


def build(main: str, *others: str, weight: int, style: str, target: str) -> None:
    fonts = [TTFont(path) for path in (main, *others)]
    cmaps = [font.getBestCmap() for font in fonts]
    glyphs: dict[str, Any] = {}
    advances: dict[str, tuple[int, int]] = {}
    cmap: dict[int, str] = {}

    def take(which: int, name: str, as_name: str) -> None:
        font = fonts[which]
        scale = UNITS / font["head"].unitsPerEm
        glyphs[as_name] = outlines(font, name, scale)
        advances[as_name] = (round(font["hmtx"][name][0] * scale), 0)

    take(0, ".notdef", ".notdef")
    for low, high in RANGES:
        for code in range(low, high + 1):
            for which, table in enumerate(cmaps):
                if which and code in SIGNS and chr(code) not in WANTED:
                    continue
                if code in table:
                    take(which, table[code], f"u{code:04X}")
                    cmap[code] = f"u{code:04X}"
                    break
    builder = FontBuilder(UNITS, isTTF=True)
    builder.setupHead(unitsPerEm=UNITS, created=3786912000, modified=3786912000, macStyle=int(weight > 400))
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap(cmap)
    builder.setupGlyf(glyphs)
    metrics = {name: (advances[name][0], getattr(glyphs[name], "xMin", 0)) for name in glyphs}
    builder.setupHorizontalMetrics(metrics)
    scale = UNITS / fonts[0]["head"].unitsPerEm
    ascent, descent = round(fonts[0]["hhea"].ascent * scale), round(fonts[0]["hhea"].descent * scale)
    builder.setupHorizontalHeader(ascent=ascent, descent=descent)
    family = "microgradlike Sans"
    builder.setupNameTable({
        "familyName": family, "styleName": style,
        "fullName": f"{family} {style}", "psName": f"microgradlikeSans-{style}",
        "copyright": "Copyright 2016-2022 The Inter Project Authors; mathematical signs copyright 2010-2020 Google",
        "licenseDescription": "SIL Open Font License, Version 1.1", "licenseInfoURL": "https://scripts.sil.org/OFL",
    })  # fmt: skip
    builder.setupOS2(sTypoAscender=ascent, sTypoDescender=descent, usWinAscent=ascent, usWinDescent=-descent,
                     usWeightClass=weight, fsSelection=0x40 if weight == 400 else 0x20)  # fmt: skip
    builder.setupPost(keepGlyphNames=False)
    builder.font.recalcTimestamp = False
    builder.save(target)
    lacking = sorted(chr(c) for low, high in RANGES for c in range(low, high + 1) if c not in cmap)
    print(
        target, Path(target).stat().st_size, "bytes,", len(glyphs), "glyphs; wanted but lacking:", WANTED & set(lacking)
    )


if __name__ == "__main__":
    regular, bold, *rest = sys.argv[1:]
    here = Path(__file__).parent
    build(regular, *rest, weight=400, style="Regular", target=str(here / "regular.ttf"))
    build(bold, *rest, weight=700, style="Bold", target=str(here / "bold.ttf"))
