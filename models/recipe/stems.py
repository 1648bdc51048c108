"""The stems of an *arena* corpus as ears hear them: clean, and as the pack's separator cuts them from a mix.

Each voice lies over the music of the video half its split away: in stems cut from its own mix an ear would learn to hear the traces of the
other one, which tells the same story. What is kept of a stem is made once.
"""

import json
import pathlib
import subprocess
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import soundfile
from scipy.signal import resample_poly

import chroma
import listen
import sound

CLIP_S, STEP_S, GLIDE_S, HOP_S = 32.0, 8.0, 2.0, 0.01
SIDES, KINDS = ("voice", "bgm"), ("clean", "separated")
SCENES = ("battle", "chase", "journey", "riddle", "ceremony", "market", "cavern", "arcade")
# Level of the music under a voice that is separated from it.
BED_DB = (-24, -8)


def mood(telling, time_s):
    """(valence, arousal) that a card's telling has at `time_s`, as `Telling::at` of src/arena/story.rs has it."""
    path, place = telling["path"], (time_s - telling["shift_s"] - telling["before_s"]) / STEP_S
    point = lambda index: np.array([path[min(max(index, 0), len(path) - 1)][axis] for axis in ("valence", "arousal")])
    step = int(np.floor(place))
    part = max(0.0, ((place - step) * STEP_S - (STEP_S - GLIDE_S)) / GLIDE_S)
    return point(step) + (point(step + 1) - point(step)) * part


class Item:
    """One side of one video, clean or separated: log-mel frames from the video's start on, of music its pitch classes too, and what they
    tell."""

    def __init__(self, mel, telling, classes=None):
        self.mel, self.classes, self.scene = mel, classes, SCENES.index(telling["scene"])
        centres = np.arange(len(mel)) * HOP_S
        self.moods = np.array([mood(telling, centre) for centre in centres[::10]], np.float32)

    def told(self, starts):
        middle = ((starts + listen.FRAMES // 2) // 10).clip(0, len(self.moods) - 1)
        return self.moods[middle]

    def degrees(self, first, starts):
        """Chroma [P, 12] of patches of the clip that begins at frame `first`; None of a voice."""
        if self.classes is None:
            return None
        begin, length = round(first * HOP_S * chroma.RATE / chroma.HOP), round(CLIP_S * chroma.RATE / chroma.HOP)
        return chroma.degrees(self.classes[begin: begin + length], starts * HOP_S - begin * chroma.HOP / chroma.RATE)


def heard_as(path, side):
    """What is kept of a stem: its log-mel frames, and of music the pitch classes, by name."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = resample_poly(samples.mean(1), chroma.RATE, rate).astype(np.float32)
    kept = {side: listen.log_mel(mono).astype(np.float16)}
    return kept | {f"{side}_classes": chroma.classes(mono)} if side == "bgm" else kept


def separated(program, pack, voice, bed):
    """What is kept of the two stems that the program cuts a voice over the music of another video into."""
    rng = np.random.default_rng(zlib.crc32(voice.name.encode()))
    spoken, played = sound.read(voice), sound.read(bed)
    played = sound.fit(played, len(spoken)) * sound.decibel(rng.uniform(*BED_DB)) / sound.rms(played) * sound.rms(spoken)
    if rng.random() < 0.5:
        played = sound.duck(played, spoken / (np.abs(spoken).max() + 1e-6), rng.uniform(-12, -3), 0.2)
    with tempfile.TemporaryDirectory() as folder:
        mix = pathlib.Path(folder, "mix.wav")
        sound.write(mix, (spoken + played) * 0.7)
        subprocess.run([program, "separate", mix, "--pack", pack, "--out", folder], check=True, capture_output=True)
        return heard_as(pathlib.Path(folder, "voice.wav"), "voice") | heard_as(pathlib.Path(folder, "bgm.wav"), "bgm")


def paired(folder, split):
    """The items of a split, each with the one whose music its voice lies over."""
    items = [item for item in json.loads((folder / "corpus.json").read_text())["items"] if item["split"] == split]
    return [(item, items[(index + len(items) // 2) % len(items)]) for index, item in enumerate(items)]


def kept(cache, item, bed):
    return cache / f"{item['id']}_{bed['id']}.npz"


def listen_to(folder, cache, split, program, pack, kinds=KINDS):
    """Makes what is kept of a split's stems, two items at a time."""
    cache.mkdir(parents=True, exist_ok=True)

    def make(item, bed):
        path = kept(cache, item, bed)
        if not path.exists():
            made = {"clean": heard_as(folder / item["voice"], "voice") | heard_as(folder / item["bgm"], "bgm")}
            if "separated" in kinds:
                made["separated"] = separated(program, pack, folder / item["voice"], folder / bed["bgm"])
            part = path.with_suffix(".part.npz")
            np.savez(part, **{f"{kind}_{name}": values for kind, stem in made.items() for name, values in stem.items()})
            part.rename(path)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(make, *zip(*paired(folder, split))))


def bank(folder, cache, split, kinds=KINDS):
    """{(side, kind): items} of a split that was listened to."""
    card = lambda item: json.loads((folder / "cards" / f"{item['id']}.json").read_text())
    items = {(side, kind): [] for side in SIDES for kind in kinds}
    for item, bed in paired(folder, split):
        own = np.load(kept(cache, item, bed))
        for kind in kinds:
            played = item if kind == "clean" else bed
            items["voice", kind].append(Item(own[f"{kind}_voice"], card(item)["voice"]))
            items["bgm", kind].append(Item(own[f"{kind}_bgm"], card(played)["bgm"], own[f"{kind}_bgm_classes"]))
    return items
