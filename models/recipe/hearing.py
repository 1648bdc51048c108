"""How the two ears that hear.py taught hear real sound, which trained nothing.

    python models/recipe/hearing.py --media DIR [--work DIR] [--pack DIR]

Acted voices (RAVDESS, actors 01-03; a query is one actor, emotion and intensity, its utterances in a row) and game tracks (the first
minute; moods as in moods.csv), both by what the ears of the work folder tell, or else the pack's: AUC of excited against calm and of
pleasant against unpleasant.
"""

import argparse
import csv
import pathlib

import numpy as np
import torch
from scipy.signal import resample_poly

import chroma
import hear
import listen
import listener
import stems

HERE, TRACK_S, EVERY = pathlib.Path(__file__).resolve().parent, 60, 43


def mono(path, seconds=None):
    return resample_poly(listener.decode(path, seconds), 160, 441).astype(np.float32)


def answer(ear, samples):
    """(valence, arousal) of a whole sound: the mean over its patches in context."""
    mel = listen.log_mel(samples)
    starts = np.arange(0, max(1, len(mel) - listen.FRAMES), EVERY)
    patches = np.stack([mel[start: start + listen.FRAMES] for start in starts]).astype(np.float32)
    degrees = None if ear.vggish.chroma is None else chroma.degrees(chroma.classes(samples), starts * stems.HOP_S)
    with torch.no_grad():
        return ear(*hear.batch([patches], [degrees]))[1][0][0].numpy().mean(0)


def voices(ear, folder):
    queries = {}
    for path in sorted(folder.glob("ravdess_*")):
        _, _, emotion, intensity, _, _, actor = path.stem.split("_")[1].split("-")
        if int(actor) <= 3:
            queries.setdefault((actor, emotion, intensity), []).append(mono(path))
    heard = np.array([answer(ear, np.concatenate(parts)) for parts in queries.values()])
    emotions = np.array([emotion for _, emotion, _ in queries])
    arousal = listener.auc(heard[:, 1], np.isin(emotions, listener.EXCITED), np.isin(emotions, listener.CALM))
    valence = listener.auc(heard[:, 0], np.isin(emotions, listener.PLEASANT), np.isin(emotions, listener.UNPLEASANT))
    report("acted voices", heard, arousal, valence)


def tracks(ear, folder):
    rows = list(csv.DictReader((HERE / "moods.csv").open()))
    heard = np.array([answer(ear, mono(folder / row["file"], TRACK_S)) for row in rows])
    level = lambda axis: np.array([float(row[axis]) for row in rows])
    arousal, valence = (listener.auc(heard[:, place], level(axis) > 0, level(axis) < 0) for place, axis in ((1, "arousal"), (0, "valence")))
    report("game tracks", heard, arousal, valence)


def report(what, heard, arousal, valence):
    spread = heard.std(0)
    print(f"{what}, {len(heard)}: AUC of arousal {arousal:.2f}, of valence {valence:.2f}; deviation of the answers, arousal {spread[1]:.2f}, "
          f"valence {spread[0]:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path())
    parser.add_argument("--pack", type=pathlib.Path, default=HERE.parent / "compact")
    parser.add_argument("--media", type=pathlib.Path, required=True)
    options = parser.parse_args()
    ear = lambda side: hear.taught(options.work, side) or hear.before(options.work, options.pack, side).eval()
    voices(ear("voice"), options.media / "voice")
    tracks(ear("bgm"), options.media / "music")
