"""Speech from the distribution's synthesisers: espeak-ng, flite, festival. Every call gives mono at 44.1 kHz."""

import pathlib
import tempfile
from dataclasses import dataclass, replace

import numpy as np
import soundfile

import sound


@dataclass(frozen=True)
class Voice:
    engine: str  # espeak, flite or festival
    name: str
    speed: float = 1.0
    pitch: float = 1.0


def speak(text, voice):
    """`text` as speech; speed and pitch are factors around the voice's own."""
    with tempfile.TemporaryDirectory() as folder:
        wave, words = pathlib.Path(folder, "speech.wav"), pathlib.Path(folder, "speech.txt")
        words.write_text(text)
        if voice.engine == "espeak":
            sound.run(["espeak-ng", "-v", voice.name, "-s", int(165 * voice.speed), "-p", int(np.clip(50 * voice.pitch, 0, 99)),
                       "-f", words, "-w", wave])
        elif voice.engine == "flite":
            sound.run(["flite", "-voice", voice.name, "--setf", f"duration_stretch={1 / voice.speed:.3f}", "-f", words, "-o", wave])
        else:
            sound.run(["text2wave", "-eval", f"(voice_{voice.name})", "-eval", f"(Parameter.set 'Duration_Stretch {1 / voice.speed:.3f})",
                       words, "-o", wave])
        samples, rate = soundfile.read(wave, dtype="float32")
    if voice.engine != "espeak" and voice.pitch != 1.0:
        rate = int(rate * voice.pitch) // 10 * 10
    return trim(sound.resample(samples, rate))


def trim(samples, floor=0.004):
    """Without the silence at both ends."""
    loud = np.flatnonzero(np.abs(samples) > floor)
    return samples[max(0, loud[0] - 800): loud[-1] + 800] if len(loud) else samples[:0]


# What vocal effort does: higher, quicker, louder, brighter above 1.2 kHz, and strained (src/arena/prosody.rs names the studies).
CENTS, RATE_FACTOR, LEVEL_DB, TREBLE_DB = 350, 1.12, 3.0, 6.0
STRAIN, TREMOR_HZ = 0.4, 70.0


def exert(text, voice, effort):
    """`text` spoken with an effort of about -1 to 1.7, where 0 is the voice's own manner."""
    wave = pressed(speak(text, replace(voice, speed=voice.speed * RATE_FACTOR**effort)), STRAIN * float(np.clip(effort, 0, 1)))
    with tempfile.TemporaryDirectory() as folder:
        before, after = pathlib.Path(folder, "before.wav"), pathlib.Path(folder, "after.wav")
        sound.write(before, 0.5 * wave / np.abs(wave).max())
        sound.run(["sox", "-R", before, after, "pitch", int(CENTS * effort), "treble", TREBLE_DB * effort, 1200])
        wave = sound.read(after).mean(1)
    return wave / (sound.rms(wave) + 1e-9) * 0.1 * sound.decibel(LEVEL_DB * effort)


def pressed(wave, strain):
    """A throat pressed as far as `strain`, 0 to 1: a tremor near half the pitch, and soft clipping (src/arena/speech.rs)."""
    if strain <= 0:
        return wave
    drive, tremor = 1 + 9 * strain, np.cos(2 * np.pi * TREMOR_HZ * np.arange(len(wave)) / sound.RATE)
    loud = 0.1 * wave / (sound.rms(wave) + 1e-9)
    return (np.tanh(5 * drive * loud) * (1 - 0.45 * strain * (0.5 - 0.5 * tremor))).astype(np.float32)


def sentences(lines, voice, length):
    """Mono narration of `length` samples from (time_s, text, effort) lines, none of which may run into the next."""
    out = np.zeros(length, np.float32)
    for index, (at_s, text, effort) in enumerate(lines):
        wave = exert(text, voice, effort)
        start = int(at_s * sound.RATE)
        free = int(lines[index + 1][0] * sound.RATE) if index + 1 < len(lines) else length
        if start + len(wave) > free:
            raise ValueError(f"{text!r} takes {len(wave) / sound.RATE:.2f} s and has {(free - start) / sound.RATE:.2f} s")
        out[start: start + len(wave)] = wave
    return out
