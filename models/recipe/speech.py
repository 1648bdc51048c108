"""Speech from the distribution's synthesisers: espeak-ng, flite, festival. Every call gives mono at 44.1 kHz."""

import pathlib
import tempfile
from dataclasses import dataclass

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


def sentences(lines, voice, length):
    """Mono narration of `length` samples from (time_s, text, gain_db) lines."""
    out = np.zeros(length, np.float32)
    for at_s, text, gain_db in lines:
        wave = speak(text, voice)
        wave = wave / (sound.rms(wave) + 1e-9) * 0.1 * sound.decibel(gain_db)
        start = int(at_s * sound.RATE)
        end = min(length, start + len(wave))
        out[start:end] += wave[: end - start]
    return out
