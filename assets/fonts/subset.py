#!/usr/bin/env python3
"""Makes the two font files of the window from Inter's own.

Keeps Latin, Greek, Cyrillic, punctuation and a few signs, and gives the digits
their tabular forms, because the window's text engine applies no `tnum`.

usage: subset.py Inter-Regular.otf OUT.otf     (needs fonttools)
"""
import sys

from fontTools import subset
from fontTools.ttLib import TTFont

RANGES = [(0x20, 0x7F), (0xA0, 0x250), (0x370, 0x530), (0x1E00, 0x1F00), (0x2000, 0x206F)]
SIGNS = "←↑→↓⌘⇧⌥€™−≈≠≤≥▲▶▼◀●○★☆✓✕♪"


def tabular_digits(font):
    """Maps 0-9 to the glyphs that the feature `tnum` would choose."""
    table = font["GSUB"].table
    forms = {}
    for record in table.FeatureList.FeatureRecord:
        if record.FeatureTag != "tnum":
            continue
        for index in record.Feature.LookupListIndex:
            for step in table.LookupList.Lookup[index].SubTable:
                forms.update(getattr(getattr(step, "ExtSubTable", step), "mapping", {}))
    for cmap in font["cmap"].tables:
        for code in range(ord("0"), ord("9") + 1):
            glyph = cmap.cmap.get(code)
            if glyph in forms:
                cmap.cmap[code] = forms[glyph]


def main(source, target):
    font = TTFont(source)
    tabular_digits(font)
    options = subset.Options()
    options.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl"]
    options.name_IDs = ["*"]
    options.notdef_outline = True
    options.hinting = False
    subsetter = subset.Subsetter(options)
    wanted = [code for low, high in RANGES for code in range(low, high)]
    subsetter.populate(unicodes=wanted + [ord(sign) for sign in SIGNS])
    subsetter.subset(font)
    font.save(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
