"""Turns scores into sound: MIDI through fluidsynth, or the recipe's own chip synthesiser; and makes game sounds."""

import pathlib
import struct
import tempfile

import numpy as np
from scipy import signal

import sound
from sound import RATE

FONTS = {
    "fluid": "/usr/share/sounds/sf2/FluidR3_GM.sf2", "timgm": "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "opl3": "/usr/share/sounds/sf2/OPL-3_FM_128M.sf2", "musescore": "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
}
TICKS = 480


def _variable(value):
    out = [value & 0x7F]
    while value := value >> 7:
        out.append((value & 0x7F) | 0x80)
    return bytes(reversed(out))


def midi_bytes(score):
    """A format 1 MIDI file of the score."""
    tracks = [b"\x00\xff\x51\x03" + int(60e6 / score.tempo).to_bytes(3, "big") + b"\x00\xff\x2f\x00"]
    channel = 0
    for part in score.parts:
        if part.drums:
            number = 9
        else:
            number, channel = channel, channel + 1 + (channel == 8)
        events = []
        for note in part.notes:
            start, end = round(note.start * TICKS), round((note.start + note.length) * TICKS)
            events.append((start, 1, bytes([0x90 | number, note.pitch, note.velocity])))
            events.append((max(end, start + 1), 0, bytes([0x80 | number, note.pitch, 0])))
        data = b"".join(b"\x00" + bytes([0xB0 | number, control, value])
                        for control, value in ((7, part.volume), (10, part.pan), (91, 50), (93, 20)))
        if not part.drums:
            data += b"\x00" + bytes([0xC0 | number, part.program])
        now = 0
        for tick, _, message in sorted(events, key=lambda event: event[:2]):
            data += _variable(tick - now) + message
            now = tick
        tracks.append(data + b"\x00\xff\x2f\x00")
    head = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), TICKS)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def fluidsynth(midi, font="fluid", gain=0.5):
    """A MIDI file (path or bytes) through a soundfont."""
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(midi, bytes):
            path = pathlib.Path(folder, "score.mid")
            path.write_bytes(midi)
            midi = path
        wave = pathlib.Path(folder, "score.wav")
        sound.run(["fluidsynth", "-ni", "-q", "-g", gain, "-r", RATE, "-O", "float", "-T", "wav", "-F", wave, FONTS[font], midi])
        return sound.read(wave)


def _oscillator(kind, phase, rng):
    """One waveform at `phase` (in cycles)."""
    turn = phase % 1.0
    if kind.startswith("pulse"):
        return np.where(turn < float(kind[5:]) / 100, 1.0, -1.0)
    if kind == "saw":
        return 2 * turn - 1
    if kind == "triangle":
        return 1 - 4 * np.abs(turn - 0.5)
    if kind == "fm":
        return np.sin(2 * np.pi * phase + 2.0 * np.sin(2 * np.pi * 2 * phase))
    if kind == "organ":
        return sum(np.sin(2 * np.pi * k * phase) / k for k in (1, 2, 3, 4, 6)) / 2
    return np.sin(2 * np.pi * phase)


CHIP_KINDS = ["pulse12", "pulse25", "pulse50", "triangle", "saw", "fm", "organ", "sine"]


def chip(score, rng, kinds=None):
    """The score on simple oscillators with envelopes, vibrato and noise drums, like an old sound chip."""
    seconds_per_beat = 60.0 / score.tempo
    out = np.zeros((int(score.duration_s * RATE) + RATE, 2), np.float32)
    for index, part in enumerate(score.parts):
        kind = (kinds or CHIP_KINDS)[index % len(kinds)] if kinds else str(rng.choice(CHIP_KINDS))
        decay, vibrato = rng.uniform(0.5, 4.0), rng.uniform(0, 0.006)
        pan = part.pan / 127
        sides = np.array([np.cos(pan * np.pi / 2), np.sin(pan * np.pi / 2)], np.float32) * part.volume / 127
        for note in part.notes:
            start = int(note.start * seconds_per_beat * RATE)
            if part.drums:
                length = int({36: 0.16, 38: 0.18, 42: 0.04, 46: 0.2, 49: 0.9}.get(note.pitch, 0.1) * RATE)
                time = np.arange(length) / RATE
                tone = np.sin(2 * np.pi * (45 * time + 12 * (1 - np.exp(-time * 30))))
                noise = rng.standard_normal(length)
                share = {36: 0.05, 41: 0.1, 45: 0.1, 48: 0.1, 38: 0.75}.get(note.pitch, 1.0)
                if share == 1.0:
                    noise = np.diff(noise, prepend=0.0)
                wave = (tone * (1 - share) * 1.4 + noise * share * 0.4) * np.exp(-time * 5 / (length / RATE))
            else:
                length = max(int(note.length * seconds_per_beat * RATE), 800)
                time = np.arange(length) / RATE
                frequency = 440 * 2 ** ((note.pitch - 69) / 12)
                phase = frequency * (time + vibrato * np.sin(2 * np.pi * 5.5 * time) / (2 * np.pi * 5.5))
                wave = _oscillator(kind, phase, rng) * np.exp(-time * decay) * 0.5
                edge = min(300, length // 2)
                wave[:edge] *= np.linspace(0, 1, edge)
                wave[-edge:] *= np.linspace(1, 0, edge)
            end = min(start + length, len(out))
            out[start:end] += (wave[: end - start, None] * sides * note.velocity / 127 * 0.3).astype(np.float32)
    return signal.sosfilt(signal.butter(2, 14_000, fs=RATE, output="sos"), out, axis=0).astype(np.float32)


def play(score, style, font="fluid", kinds=None):
    """The piece as sound, level not yet set."""
    if style.chip:
        rng = np.random.default_rng(style.seed + 11)
        return sound.reverb(chip(score, rng, kinds), rng, 0.5, 0.12)
    return fluidsynth(midi_bytes(score), font)


def _band(noise, low, high):
    return signal.sosfilt(signal.butter(2, [low, high], "band", fs=RATE, output="sos"), noise)


def effect(name, rng):
    """One mono game sound: whoosh, clang, impact, step, zap, rumble, chime, cheer, coin or alarm."""
    pick = rng.uniform
    seconds = {"whoosh": 0.5, "clang": 0.9, "impact": 0.8, "step": 0.12, "zap": 0.5, "rumble": 2.0, "chime": 1.5,
               "cheer": 3.0, "coin": 0.4, "alarm": 1.2}[name] * pick(0.8, 1.25)
    time = np.arange(int(seconds * RATE)) / RATE
    noise = rng.standard_normal(len(time))
    part = time / seconds
    if name == "whoosh":
        wave = _band(noise, 300, 900) * np.sin(np.pi * part) + _band(noise, 900, 4000) * np.sin(np.pi * part) ** 4
    elif name == "clang":
        base = pick(500, 1400)
        wave = sum(np.sin(2 * np.pi * base * ratio * time) * np.exp(-time * pick(4, 12))
                   for ratio in (1, 1.51, 2.32, 3.17, 4.6)) * 0.4 + noise * np.exp(-time * 90)
    elif name == "impact":
        wave = np.sin(2 * np.pi * (pick(35, 60) * time + 5 * (1 - np.exp(-time * 25)))) * np.exp(-time * 6) * 1.5
        wave += _band(noise, 80, 2500) * np.exp(-time * 12)
    elif name == "step":
        wave = _band(noise, 100, 1200) * np.exp(-time * 60)
    elif name == "zap":
        start, end = pick(600, 3000), pick(60, 300)
        wave = signal.chirp(time, start, seconds, end, "logarithmic") * np.exp(-3 * part)
        wave = np.sign(wave) * np.abs(wave) ** 0.6 + 0.2 * noise * np.exp(-8 * part)
    elif name == "rumble":
        wave = _band(noise, 25, 160) * np.sin(np.pi * part) * 3
    elif name == "chime":
        base = 440 * 2 ** (rng.integers(0, 13) / 12)
        wave = sum(np.where(time > k * 0.09, np.sin(2 * np.pi * base * step * time) * np.exp(-(time - k * 0.09) * 4), 0)
                   for k, step in enumerate((1, 1.25, 1.5, 2)))
    elif name == "cheer":
        wave = sum(_band(rng.standard_normal(len(time)), low, low * 1.5) * pick(0.4, 1.0) for low in (400, 700, 1100, 1800))
        flutter = np.interp(time, np.linspace(0, seconds, 40), rng.uniform(0.6, 1.0, 40))
        wave = wave * flutter * np.minimum(1, 4 * part) * np.minimum(1, 2.5 * (1 - part))
    elif name == "coin":
        wave = np.sign(np.sin(2 * np.pi * np.where(time < 0.08, 988, 1319) * time)) * np.exp(-time * 8)
    else:
        wave = np.sign(np.sin(2 * np.pi * np.where((time * 4) % 1 < 0.5, 660, 880) * time)) * 0.5
    return (wave / (np.abs(wave).max() + 1e-9)).astype(np.float32)


EFFECTS = ["whoosh", "clang", "impact", "step", "zap", "rumble", "chime", "cheer", "coin", "alarm"]


def place(length, events, rng):
    """A stereo effects track of `length` samples from (time_s, name, gain_db, pan 0..1)."""
    out = np.zeros((length, 2), np.float32)
    for at_s, name, gain_db, pan in events:
        wave = effect(name, rng) * sound.decibel(gain_db)
        start = int(at_s * RATE)
        end = min(start + len(wave), length)
        if end > start:
            out[start:end] += wave[: end - start, None] * np.array([np.cos(pan * np.pi / 2), np.sin(pan * np.pi / 2)], np.float32)
    return out
