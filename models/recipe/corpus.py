"""The separator's data: banks of dry-ish speech, music and game sounds as 16-bit arrays, mixed afresh while training.

Folders under the corpus: {train,test}/{speech,music,sounds}/*.npy, int16, speech [samples] mono, music and sounds [samples, 2], at
44.1 kHz. Train and test share no sentence, no voice and no composition, and the test music is played by a soundfont of its own. Stems of
the corpus *arena* come on top where there is one.
"""

import hashlib
import pathlib

import numpy as np
from scipy import signal

import compose
import play
import sound
import speech
from sound import RATE
from speech import Voice

ESPEAK = ["en-us", "en-gb", "en-029", "en-gb-x-rp", "en-gb-x-gbclan", "de", "fr", "es", "it", "pt-br", "nl", "pl", "sv", "tr", "ru", "hi", "fi",
          "ro", "da", "id", "el", "sw"]
VARIANTS = ["", "+m1", "+m2", "+m3", "+m4", "+m6", "+m7", "+f1", "+f2", "+f3", "+f5", "+croak", "+Annie", "+Alex", "+Andy", "+Gene", "+Jacky",
            "+steph", "+Michael", "+Denis", "+whisper", "+whisperf"]
TEST_ESPEAK = ["en-gb-scotland+m5", "en-gb-scotland+f4", "en-gb-x-gbcwmd+m8", "en-us+Lee", "cs+belinda", "hu+f4"]
TRAIN_NATURAL = [Voice("flite", "slt"), Voice("flite", "awb"), Voice("flite", "kal16"), Voice("festival", "cmu_us_slt_arctic_hts")]
TEST_NATURAL = [Voice("flite", "rms"), Voice("festival", "kal_diphone")]

WHO = ["the red team", "my friend", "this little robot", "our goalkeeper", "the last boss", "a traveller", "the whole village", "your camera",
       "the blue knight", "an old engineer", "the crowd", "our new editor", "the second player", "she", "he", "nobody", "everyone here"]
DID = ["jumps over", "quietly opens", "has just found", "completely ignores", "is running towards", "explains", "breaks", "paints", "carries",
       "misses", "never expected", "finally understands", "throws away", "is waiting behind", "turns around and grabs", "walks past"]
WHAT = ["the bridge", "a wooden chest", "three golden keys", "the kitchen table", "a very long recipe", "that impossible corner", "the river",
        "an empty bottle", "the signal tower", "the first chapter", "the lower menu", "their best weapon", "a cup of coffee", "the northern gate"]
WHEN = ["right now", "in the final minute", "before the rain starts", "for the third time today", "without any warning", "as I told you earlier",
        "at half past nine", "while the music plays", "and that changes everything", "just like last year", "if you look closely"]
OPEN = ["Okay, so", "Look,", "Welcome back,", "Oh no,", "And", "Wait a second,", "In this part", "Now", "Honestly,", "Yes!", "Step two:", "But", ""]
TEST_LINES = [
    "Mix the flour with warm water, then let the dough rest under a cloth for one hour.",
    "Our train climbs above the clouds, and suddenly the valley lies open below us.",
    "He lines up the shot, he breathes out, and it flies straight into the top corner!",
    "To export the picture, choose the folder, type a name, and press the large button.",
    "I have never been this tired, yet I would walk the whole island again tomorrow.",
    "Seven minutes left on the clock. Both captains are shouting. What a quarter this has been.",
    "Please stop the recording, I think there is a fox under my bicycle.",
    "Choose a brush with soft edges, lower the opacity, and follow the shadow along the wall.",
    "Nine hundred gold, two dragons down, and still they refuse to leave the middle lane.",
    "Thank you for joining me this evening. We start with the simplest question of all.",
]


def text(rng):
    """A few sentences of training text."""
    pick = lambda row: row[rng.integers(len(row))]
    line = lambda: f"{pick(OPEN)} {pick(WHO)} {pick(DID)} {pick(WHAT)} {pick(WHEN)}{pick(['.', '.', '!', '?'])}".strip()
    return " ".join(line() for _ in range(int(rng.integers(1, 4))))


def bend(samples, rng, depth):
    """Slow random changes of pitch and speed (time-varying resampling), for livelier speech than a synthesiser's."""
    count = max(4, int(len(samples) / RATE * 2.5))
    knots = np.interp(np.arange(len(samples)), np.linspace(0, len(samples), count), rng.normal(0, depth, count))
    position = np.cumsum(np.exp(knots))
    position = position[position < len(samples) - 1]
    return np.interp(position, np.arange(len(samples)), samples).astype(np.float32)


def colour(samples, rng):
    """Room, equaliser, compression, hiss and a band limit, each now and then; mono in, mono out."""
    if rng.random() < 0.5:
        samples = sound.reverb(sound.stereo(samples), rng, rng.uniform(0.12, 0.8), rng.uniform(0.03, 0.35))[:, 0]
    for _ in range(int(rng.integers(0, 4))):
        samples = signal.sosfilt(sound.peaking(np.exp(rng.uniform(np.log(120), np.log(9000))), rng.uniform(-8, 8), rng.uniform(0.5, 2)), samples)
    if rng.random() < 0.7:
        samples = signal.sosfilt(signal.butter(2, rng.uniform(50, 150), "high", fs=RATE, output="sos"), samples)
    if rng.random() < 0.4:
        level = sound.envelope(sound.stereo(samples), 0.005, 0.12)
        gain = (np.maximum(level, 0.02) / 0.1) ** (-rng.uniform(0.1, 0.5))
        samples = samples * np.interp(np.arange(len(samples)) / 441, np.arange(len(gain)), gain)
    if rng.random() < 0.25:
        samples = signal.sosfilt(signal.butter(6, rng.uniform(3500, 9000), fs=RATE, output="sos"), samples)
    if rng.random() < 0.3:
        samples = samples + rng.standard_normal(len(samples)) * sound.rms(samples) * sound.decibel(rng.uniform(-55, -35))
    return np.asarray(samples, np.float32)


def train_voice(rng):
    pitch, speed = float(np.exp(rng.normal(0, 0.14))), float(rng.uniform(0.8, 1.3))
    if rng.random() < 0.45:
        base = TRAIN_NATURAL[rng.integers(len(TRAIN_NATURAL))]
        return Voice(base.engine, base.name, speed, pitch)
    name = (ESPEAK[rng.integers(len(ESPEAK))] if rng.random() < 0.5 else "en-us") + VARIANTS[rng.integers(len(VARIANTS))]
    return Voice("espeak", name, speed, float(rng.uniform(0.4, 1.7)))


def utterance(rng, test):
    """One piece of narration, coloured, at about -20 dB while it speaks."""
    if test:
        row = TEST_NATURAL + [Voice("espeak", name) for name in TEST_ESPEAK]
        samples = speech.speak(" ".join(rng.permutation(TEST_LINES)[:2]), row[rng.integers(len(row))])
    else:
        effort = float(rng.uniform(-1, 1.7)) if rng.random() < 0.4 else 0.0
        words, voice = text(rng), train_voice(rng)
        samples = speech.exert(words, voice, effort) if effort else speech.speak(words, voice)
        samples = bend(samples, rng, rng.choice([0.0, 0.05, 0.12, 0.2]))
        if rng.random() < 0.3:
            samples = sound.resample(samples, RATE, int(RATE * rng.uniform(0.8, 1.25)) // 100 * 100)
    return level(colour(samples, rng))


def level(samples):
    loud = np.abs(samples[np.abs(samples) > 0.05 * np.abs(samples).max()])
    return samples / (np.sqrt(np.mean(loud**2)) + 1e-9) * 0.12


def is_test(path):
    """One composition in ten is held out, by hash of its name."""
    return hashlib.sha256(path.stem.encode()).digest()[0] < 26


def piece(rng, test, midi):
    """About 40 s of music: a composition of our own or a given MIDI file, on a random soundfont (the test's on its own)."""
    font = "musescore" if test else str(rng.choice(["fluid", "fluid", "timgm", "opl3"]))
    if midi is not None:
        samples = play.fluidsynth(midi, font)
        length = 40 * RATE
        start = int(rng.integers(0, max(1, len(samples) - length)))
        samples = samples[start: start + length]
    else:
        style = compose.random_style(rng)
        samples = play.play(compose.compose(style, 40), style, font)[: 42 * RATE]
    if rng.random() < 0.3:
        samples = sound.reverb(samples, rng, rng.uniform(0.2, 1.2), rng.uniform(0.05, 0.3))
    return samples / (sound.rms(samples) + 1e-9) * 0.12


def scene(rng):
    """About 20 s of game sounds: effects at random times over wind, rain or a hum."""
    length = 20 * RATE
    events = [(rng.uniform(0, 19), str(rng.choice(play.EFFECTS)), rng.uniform(-16, 0), rng.random()) for _ in range(int(rng.integers(6, 40)))]
    samples = play.place(length, events, rng)
    if rng.random() < 0.6:
        low = np.exp(rng.uniform(np.log(60), np.log(1500)))
        noise = signal.sosfilt(signal.butter(1, [low, low * rng.uniform(2, 8)], "band", fs=RATE, output="sos"), rng.standard_normal((length, 2)), axis=0)
        swell = np.interp(np.arange(length), np.linspace(0, length, 30), rng.uniform(0.2, 1.0, 30))
        samples = samples + (noise * swell[:, None] * rng.uniform(0.02, 0.2)).astype(np.float32)
    samples = sound.reverb(samples, rng, rng.uniform(0.2, 1.5), rng.uniform(0.0, 0.4))
    return samples / (sound.rms(samples) + 1e-9) * 0.12


def save(path, samples):
    if sound.rms(samples) < 1e-4 or not np.isfinite(samples).all() or len(samples) < 2 * RATE:
        return
    partial = path.with_suffix(".part")
    with open(partial, "wb") as file:
        np.save(file, (np.clip(samples * 0.8, -1, 1) * 32767).astype(np.int16))
    partial.rename(path)


COUNTS = {"train": (1500, 330, 90), "test": (72, 20, 4)}  # speech, music, sounds


def make(folder, midi_folder, seed):
    """Fills the banks; what is there is kept, so a stopped run goes on. Order mixes the kinds, so that training may start early.

    Every other of the first compositions is a given MIDI file; held-out ones come on top of the test's own.
    """
    midis = sorted(pathlib.Path(midi_folder).glob("*.mid")) if midi_folder else []
    jobs = []
    for split, counts in COUNTS.items():
        chosen = [path for path in midis if is_test(path) == (split == "test")]
        for kind, count in zip(("speech", "music", "sounds"), counts):
            for index in range(count + (len(chosen) if kind == "music" and split == "test" else 0)):
                source = chosen[index // 2] if kind == "music" and index % 2 and index // 2 < len(chosen) else None
                jobs.append((index / count, split, kind, index, source))
    for _, split, kind, index, source in sorted(jobs, key=lambda job: job[0]):
        path = folder / split / kind / f"{index:05d}.npy"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng([seed, split == "test", ("speech", "music", "sounds").index(kind), index])
        try:
            samples = utterance(rng, split == "test") if kind == "speech" else scene(rng) if kind == "sounds" else piece(rng, split == "test", source)
        except RuntimeError as error:
            print(path.name, error, flush=True)
            continue
        save(path, samples)
        if index % 50 == 0:
            print(split, kind, index, flush=True)


def adopt(folder, arena, seed, seconds=16):
    """Stretches of the stems of *arena*'s training split as banks of their own; its test split shares no voice, sentence or sound with them."""
    for stem, kind in (("voice", "speech"), ("bgm", "music")):
        for path in sorted((arena / "stems").glob(f"train*.{stem}.wav")):
            out = folder / "arena" / kind / f"{path.name.split('.')[0]}.npy"
            if out.exists():
                continue
            out.parent.mkdir(parents=True, exist_ok=True)
            samples = sound.read(path)
            rng = np.random.default_rng([seed, 7, kind == "speech", int(path.name[5:9])])
            start = int(rng.integers(0, max(1, len(samples) - seconds * RATE)))
            samples = samples[start: start + seconds * RATE]
            if sound.rms(samples) > 1e-3:
                save(out, level(samples.mean(1)) if kind == "speech" else samples / sound.rms(samples) * 0.12)
