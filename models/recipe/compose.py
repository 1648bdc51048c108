"""A small composer: a `Style` (tempo, mode, progressions, form, orchestration) becomes a `Score` of notes.

A piece is built like a song: every section letter has its own chords and melody, a melody is phrases of four bars in the
rhythm scheme a-b-a-c with chord tones on strong beats and steps between, sections return when their letter returns, and
layers enter and leave with the form. All randomness comes from the style's seed.
"""

from dataclasses import dataclass, field

import numpy as np

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "harmonic": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10), "phrygian": (0, 1, 3, 5, 7, 8, 10), "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
# One string per drum and per sixteenth of a bar: x loud, o soft. Bars of three beats read the first twelve steps.
KICK, SNARE, RIM, CLAP, HAT, OPEN, CRASH, RIDE = 36, 38, 37, 39, 42, 46, 49, 51
LOW_TOM, MID_TOM, HIGH_TOM, TAMBOURINE, SHAKER, CONGA = 41, 45, 48, 54, 70, 63
DRUMS = {
    "rock": {KICK: "x.....x.x.......", SNARE: "....x.......x..o", HAT: "x.o.x.o.x.o.x.o."},
    "chase": {KICK: "x..x..x.x..x..x.", SNARE: "....x..o.o..x..o", HAT: "xoxoxoxoxoxoxoxo"},
    "four": {KICK: "x...x...x...x...", CLAP: "....x.......x...", OPEN: "..x...x...x...x.", SHAKER: "oooooooooooooooo"},
    "lofi": {KICK: "x......o..x.....", RIM: "....x.......x...", HAT: "o.o.o.oxo.o.o.o."},
    "march": {SNARE: "x.o.x.ooxooox.o.", KICK: "x.......x.......", CRASH: "................"},
    "taiko": {LOW_TOM: "x.....x.x..x....", MID_TOM: "...o......o...oo", KICK: "x.......x......."},
    "waltz": {KICK: "x...........", RIDE: "....o...o...", RIM: "........o..."},
    "festive": {KICK: "x...x...x...x...", TAMBOURINE: "o.x.o.x.o.x.o.x.", CONGA: "x..o..x...o.x.o.", CLAP: "....x.......x..."},
    "swing": {RIDE: "x...x..ox...x..o", KICK: "x.......o.......", RIM: "....o.......o..."},
    "half": {KICK: "x.........o.....", SNARE: "........x.......", HAT: "o...o...o...o..."},
}


@dataclass
class Note:
    start: float  # beats
    length: float  # beats
    pitch: int
    velocity: int


@dataclass
class Part:
    program: int
    notes: list = field(default_factory=list)
    volume: int = 100
    pan: int = 64
    drums: bool = False


@dataclass
class Score:
    tempo: float
    beats: float
    parts: list

    @property
    def duration_s(self):
        return self.beats * 60.0 / self.tempo


@dataclass
class Style:
    title: str = ""
    genre: str = ""
    tempo: float = 100.0
    meter: int = 4
    mode: str = "major"
    tonic: int = 60
    progressions: dict = field(default_factory=lambda: {"A": [1, 5, 6, 4], "B": [4, 1, 4, 5]})
    form: str = "iAABAo"
    bars: int = 4  # per section letter
    lead: int | None = 0
    lead_octave: int = 1
    lead_density: float = 0.5
    counter: int | None = None
    chords: int | None = 48
    chord_pattern: str = "pad"
    arpeggio: int | None = None
    arpeggio_step: float = 0.5
    bass: int | None = 32
    bass_pattern: str = "root"
    drums: str | None = None
    sevenths: bool = False
    swing: float = 0.0
    legato: float = 0.95
    loud: float = 1.0
    seed: int = 0
    chip: bool = False  # played by the recipe's own chip synthesiser instead of a soundfont
    mood: str = ""


def chord(style, degree):
    """Pitches of the diatonic chord on `degree` (1..7), root position around the tonic; minor keys get a major V."""
    scale = MODES[style.mode]
    count = 4 if style.sevenths else 3
    tones = []
    for third in range(count):
        index = degree - 1 + 2 * third
        tone = scale[index % 7] + 12 * (index // 7)
        if style.mode == "minor" and degree == 5 and third == 1:
            tone += 1
        tones.append(style.tonic + tone)
    return tones


def voiced(tones, previous_top):
    """Inversion of the chord whose top lies nearest to the last one: simple voice leading."""
    best = None
    for turn in range(-1, len(tones) + 1):
        candidate = sorted(tone + 12 * ((index < turn) - (turn < 0)) for index, tone in enumerate(tones))
        gap = abs(candidate[-1] - previous_top)
        if best is None or gap < best[0]:
            best = (gap, candidate)
    return best[1]


def bar_rhythm(rng, meter, density, last=False):
    """Note onsets and lengths of one bar in beats; denser styles cut beats into halves and quarters."""
    if last:
        return [(0.0, 1.0), (1.0, meter - 1.0)] if meter > 2 else [(0.0, float(meter))]
    cells, position = [], 0.0
    while position < meter:
        room = meter - position
        draw = rng.random()
        if draw < density * 0.35 and room >= 1:
            lengths = [[0.5, 0.25, 0.25], [0.25, 0.25, 0.5], [0.75, 0.25]][rng.integers(3)]
        elif draw < density * 0.95 and room >= 1:
            lengths = [[0.5, 0.5], [0.5, 0.5], [1.0]][rng.integers(3)]
        elif room >= 2 and rng.random() < 0.75 - 0.4 * density:
            lengths = [[2.0], [1.5, 0.5]][rng.integers(2)]
        else:
            lengths = [1.0]
        for length in lengths:
            cells.append((position, length))
            position += length
    return cells


def melody(style, rng, degrees):
    """Notes of one section: [(beat, length, pitch)], four-bar phrases in the scheme a-b-a-c."""
    scale = MODES[style.mode]
    ladder = [style.tonic + 12 * octave + step for octave in range(-3, 4) for step in scale]
    centre = style.tonic + 12 * style.lead_octave + 4
    a, b = bar_rhythm(rng, style.meter, style.lead_density), bar_rhythm(rng, style.meter, style.lead_density)
    notes, position = [], int(np.argmin([abs(pitch - centre) for pitch in ladder]))
    shapes = {}
    for bar, degree in enumerate(degrees):
        last = bar % 4 == 3
        rhythm = bar_rhythm(rng, style.meter, style.lead_density, last=True) if last else (b if bar % 4 == 1 else a)
        tones = {tone % 12 for tone in chord(style, degree)}
        shape = shapes.setdefault(bar % 4 if not last else -1,
                                  [int(rng.choice([-2, -1, -1, 1, 1, 2, 0])) for _ in rhythm])
        for index, (beat, length) in enumerate(rhythm):
            move = shape[index % len(shape)]
            if abs(ladder[position] - centre) > 8:  # turn back towards the middle of the register
                move = -int(np.sign(ladder[position] - centre)) * max(1, abs(move))
            position = int(np.clip(position + move, 0, len(ladder) - 1))
            if beat == int(beat) and (beat in (0.0, 2.0) or length >= 1.0):
                near = [i for i in range(max(0, position - 3), min(len(ladder), position + 4)) if ladder[i] % 12 in tones]
                position = min(near, key=lambda i: (abs(i - position), rng.random())) if near else position
            if index and rng.random() < 0.06:
                continue
            notes.append((bar * style.meter + beat, length, ladder[position]))
    return notes


def accompany(style, degrees, rng):
    """Chord, arpeggio and bass events of one section: three lists of (beat, length, pitch, accent)."""
    chords, arpeggio, bass = [], [], []
    top = style.tonic + 7
    meter = style.meter
    for bar, degree in enumerate(degrees):
        at = bar * meter
        tones = voiced(chord(style, degree), top)
        top = tones[-1]
        hits = {
            "pad": [(0, meter)], "beats": [(beat, 0.8) for beat in range(meter)],
            "off": [(beat + 0.5, 0.3) for beat in range(meter)], "waltz": [(1, 0.7), (2, 0.7)],
            "stabs": [(0, 0.4), (1.5, 0.4), (2.5, 0.4)], "eighths": [(step / 2, 0.35) for step in range(2 * meter)],
            "lofi": [(0, 1.4), (1.75, 1.0), (3.25, 0.6)], "drone": [(0, meter)],
            "strum": [(0, 1), (1, 0.5), (1.5, 0.5), (2.5, 0.5), (3, 0.5), (3.5, 0.5)],
        }[style.chord_pattern]
        for beat, length in hits:
            if beat >= meter:
                continue
            for index, tone in enumerate([tones[0], tones[0] + 7] if style.chord_pattern == "drone" else tones):
                delay = 0.02 * index if style.chord_pattern in ("strum", "lofi") else 0.0
                chords.append((at + beat + delay, min(length, meter - beat), tone, 1.0 if beat == 0 else 0.8))
        run = tones + [tones[0] + 12] + tones[1:][::-1]
        for step in range(int(meter / style.arpeggio_step)):
            arpeggio.append((at + step * style.arpeggio_step, style.arpeggio_step * 1.2, run[step % len(run)] + 12,
                             1.0 if step % 4 == 0 else 0.75))
        root = chord(style, degree)[0]
        root -= 12 * int(np.ceil((root - 47) / 12))
        fifth = root + 7
        bass += {
            "root": [(at, meter * 0.95, root, 1.0)],
            "pulse": [(at + beat, 0.9, root, 1.0 if beat == 0 else 0.85) for beat in range(meter)],
            "eighths": [(at + step / 2, 0.45, root, 1.0 if step % 2 == 0 else 0.8) for step in range(2 * meter)],
            "octave": [(at + step / 2, 0.4, root + 12 * (step % 2), 1.0 - 0.2 * (step % 2)) for step in range(2 * meter)],
            "fifth": [(at, 0.9, root, 1.0), (at + meter / 2, 0.9, fifth, 0.9)],
            "walk": [(at + beat, 0.9, root + (0, 4 if MODES[style.mode][2] == 4 else 3, 7, 9)[beat % 4], 0.9)
                     for beat in range(meter)],
            "sync": [(at, 0.7, root, 1.0), (at + 0.75, 0.7, root, 0.8), (at + 2.5, 0.5, fifth, 0.8), (at + 3, 0.9, root, 0.9)],
        }[style.bass_pattern]
    return chords, arpeggio, bass


def drum_bar(style, rng, fill):
    """Hits of one bar: (beat, pitch, velocity); the last bar before a new section plays a fill."""
    hits, steps = [], 4 * style.meter
    for drum, pattern in DRUMS[style.drums].items():
        for step in range(steps):
            mark = pattern[step % len(pattern)]
            if mark == "." or (fill and step >= steps - 4 and drum in (HAT, SNARE, OPEN)):
                continue
            hits.append((step / 4, drum, (104 if mark == "x" else 66) + int(rng.integers(-7, 8))))
    if fill and style.drums not in ("lofi", "waltz", "swing"):
        for step, drum in enumerate((HIGH_TOM, HIGH_TOM, MID_TOM, LOW_TOM)):
            hits.append((style.meter - 1 + step / 4, drum, 84 + 6 * step))
    return hits


def compose(style, seconds=None):
    """The whole piece. With `seconds` the form is repeated or cut to whole sections of about that length."""
    rng = np.random.default_rng(style.seed + 7_001)
    degrees = {letter: (row * style.bars)[: style.bars] if len(row) < style.bars else row[: style.bars]
               for letter, row in style.progressions.items()}
    form = style.form
    if seconds is not None:
        section_s = style.bars * style.meter * 60.0 / style.tempo
        body = [letter for letter in form if letter in degrees] or ["A"]
        count = max(2, round(seconds / section_s) - (form[0] == "i") - (form[-1] == "o"))
        form = ("i" if form[0] == "i" else "") + "".join((body * count)[:count]) + ("o" if form[-1] == "o" else "")
    names = ["lead", "counter", "chords", "arpeggio", "bass"]
    levels = {"lead": (108, 60), "counter": (80, 84), "chords": (78, 46), "arpeggio": (72, 90), "bass": (100, 64)}
    parts = {name: Part(getattr(style, name), volume=levels[name][0], pan=levels[name][1])
             for name in names if getattr(style, name) is not None}
    drums = Part(0, volume=96, drums=True) if style.drums else None
    themes = {letter: melody(style, rng, row) for letter, row in degrees.items()}
    grounds = {letter: accompany(style, row, rng) for letter, row in degrees.items()}
    seen, at = {}, 0.0

    def humanise(name, start, length, pitch, velocity):
        if style.swing and abs(start % 1.0 - 0.5) < 0.01:
            start += style.swing * 0.33
        start = max(0.0, start + rng.normal(0, 0.006))
        velocity = int(np.clip(velocity * style.loud + rng.normal(0, 4), 18, 124))
        parts[name].notes.append(Note(start, length, int(np.clip(pitch, 21, 108)), velocity))

    for number, letter in enumerate(form):
        key = letter if letter in degrees else "A"
        edge = letter in "io"
        turn = seen.get(key, 0)
        seen[key] = turn + (not edge)
        chords, arpeggio, bass = grounds[key]
        swell = (0.75 if edge else 1.0) * (1.0 + 0.06 * min(turn, 2) + (0.06 if key == "B" else 0.0))
        for name, events in (("chords", chords), ("arpeggio", arpeggio), ("bass", bass)):
            quiet_intro = letter == "i" and name in ("bass",) and style.chords is not None
            if name in parts and not quiet_intro:
                for start, length, pitch, accent in events:
                    humanise(name, at + start, length, pitch, 82 * accent * swell)
        if "lead" in parts and not edge:
            for start, length, pitch in themes[key]:
                accent = 1.0 if start % style.meter == 0 else 0.9
                humanise("lead", at + start, length * style.legato, pitch,
                         96 * accent * swell)
        if "counter" in parts and not edge and (turn >= 1 or key == "B"):
            for bar, degree in enumerate(degrees[key]):
                tones = chord(style, degree)
                for half, tone in ((0, tones[1]), (style.meter / 2, tones[2])):
                    humanise("counter", at + bar * style.meter + half, style.meter / 2 * 0.98, tone, 74 * swell)
        if drums and letter != "i":
            for bar in range(style.bars):
                fill = bar == style.bars - 1
                for beat, pitch, velocity in drum_bar(style, rng, fill):
                    start = at + bar * style.meter + beat
                    if style.swing and abs(beat % 0.5 - 0.25) < 0.01:
                        start += style.swing * 0.08
                    drums.notes.append(Note(start, 0.2, pitch, int(np.clip(velocity * style.loud, 20, 124))))
            if not edge and style.drums in ("rock", "chase", "march", "four", "festive", "taiko"):
                drums.notes.append(Note(at, 1.0, CRASH, int(76 * style.loud)))
        at += style.bars * style.meter
    # A last chord to rest on.
    for name in ("chords", "bass", "lead"):
        if name in parts:
            tones = chord(style, 1) if name == "chords" else [chord(style, 1)[0] - (24 if name == "bass" else -12 * style.lead_octave)]
            for tone in tones:
                humanise(name, at, style.meter, tone, 78)
    everything = [part for part in parts.values() if part.notes] + ([drums] if drums else [])
    return Score(style.tempo, at + style.meter, everything)


LEADS = [0, 4, 6, 10, 11, 12, 13, 14, 19, 21, 22, 24, 25, 26, 27, 40, 41, 42, 46, 56, 57, 60, 64, 65, 66, 68, 71, 73, 74, 75, 79,
         80, 81, 82, 85, 104, 105, 107, 108, 114]
PADS = [0, 4, 5, 16, 18, 19, 21, 24, 25, 28, 29, 30, 44, 45, 48, 49, 50, 51, 52, 53, 61, 62, 88, 89, 90, 91, 92, 94, 95]
BASSES = [32, 33, 34, 35, 36, 38, 39, 43, 58, 87]
ROWS = [[1, 5, 6, 4], [1, 6, 4, 5], [6, 4, 1, 5], [1, 4, 5, 4], [1, 7, 6, 7], [1, 6, 3, 7], [1, 4, 7, 3], [2, 5, 1, 6], [1, 3, 4, 5],
        [1, 1, 4, 5], [1, 2, 1, 7], [1, 7, 4, 1], [4, 5, 3, 6], [1, 5, 2, 4]]


def random_style(rng):
    """Any style at all, for training data: every field is drawn."""
    meter = int(rng.choice([4, 4, 4, 3]))
    drums = rng.choice([None, *DRUMS]) if meter == 4 else rng.choice([None, "waltz"])
    pick = lambda row, chance: int(rng.choice(row)) if rng.random() < chance else None
    patterns = ["pad", "pad", "beats", "off", "stabs", "eighths", "lofi", "drone", "strum"]
    return Style(
        tempo=float(rng.uniform(58, 172)), meter=meter, mode=str(rng.choice(list(MODES))), tonic=int(rng.integers(54, 66)),
        progressions={letter: [int(d) for d in ROWS[rng.integers(len(ROWS))]] for letter in "AB"},
        form=str(rng.choice(["iAABAo", "ABAB", "iABBA", "AABB"])), lead=pick(LEADS, 0.8), lead_octave=int(rng.integers(-1, 3)),
        lead_density=float(rng.uniform(0.1, 1.0)), counter=pick(LEADS + PADS, 0.4), chords=pick(PADS, 0.85),
        chord_pattern="waltz" if meter == 3 and rng.random() < 0.5 else str(rng.choice(patterns)), arpeggio=pick(LEADS, 0.35),
        arpeggio_step=float(rng.choice([0.25, 0.5])), bass=pick(BASSES, 0.8),
        bass_pattern=str(rng.choice(["root", "pulse", "eighths", "octave", "fifth", "walk", "sync"])) if meter == 4 else "root",
        drums=None if drums is None else str(drums), sevenths=bool(rng.random() < 0.3), swing=float(rng.choice([0, 0, 0.5])),
        legato=float(rng.uniform(0.4, 1.0)), loud=float(rng.uniform(0.7, 1.15)), seed=int(rng.integers(1 << 30)),
        chip=bool(rng.random() < 0.2))
