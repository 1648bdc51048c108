"""Chroma as the recipe of the shipped weights makes it, on a made-up clip, for the program must hear what was taught.

    python tests/golden/chroma.py      writes chroma.safetensors beside this file
"""

import sys
from pathlib import Path

import numpy as np
from noise import values
from safetensors.numpy import save_file

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2] / "models" / "recipe"))
import chroma  # noqa: E402

RATE, CLIP = 16_000, 512_000
# MIDI's keys of the chords, two seconds each, a quarter of a semitone sharp.
CHORDS = [(45, 57, 60, 64), (50, 57, 62, 65), (52, 56, 59, 64), (41, 57, 60, 65)]


def sound():
    """Plucked chords over a little hiss."""
    time = np.arange(CLIP) / RATE
    chords = [sum(np.sin(2 * np.pi * 440 * 2 ** ((key + 0.25 - 69) / 12) * partial * (time % 2)) / partial
                  for key in chord for partial in (1, 2, 3)) for chord in CHORDS]
    playing = np.select([(time // 2 % len(CHORDS)) == place for place in range(len(CHORDS))], chords)
    return (0.05 * playing * np.exp(-(time % 2)) + 0.002 * values("hiss", (CLIP,))).astype(np.float32)


def main():
    starts = np.round(np.arange(72) * (3198 - 96) / 71) * 160 / RATE
    save_file({"chroma": chroma.degrees(chroma.classes(sound()), starts)}, HERE.with_name("chroma.safetensors"))


if __name__ == "__main__":
    main()
