"""The music statistics of CBVMR by librosa, after VM-NET's librosa_feature.py, on a made-up sound.

    python tests/golden/music_statistics.py   writes music_statistics.safetensors beside this file; needs librosa

As VM-NET, but: 12 kHz throughout (VM-NET let some of its features believe in 22.05 kHz), chroma without a search for the
tuning, CENS from that chroma and not from a constant-Q transform, MFCC from the same 96 bands.
"""

from pathlib import Path

import librosa
import numpy as np
from librosa import feature
from noise import values
from safetensors.numpy import save_file
from scipy import ndimage
from scipy.signal import get_window

RATE, POINTS, HOP = 12_000, 512, 256
HERE = Path(__file__)


def sound():
    """Two seconds: a chord that swells, clicks, and a little noise."""
    t = np.arange(2 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * f * t) / (k + 1) for k, f in enumerate([220.0, 277.2, 329.6, 880.0, 1320.0]))
    clicks = np.zeros_like(t)
    for start in range(1500, len(t), 4800):
        clicks[start : start + 300] = values(f"click {start}", (300,))[: len(clicks) - start] * np.exp(
            -np.arange(min(300, len(t) - start)) / 60
        )
    return (0.15 * chord * (0.3 + t / 3) + 0.5 * clicks + 0.01 * values("hiss", t.shape)).astype(np.float32)


def decibels(s):
    """librosa's old logamplitude against the largest."""
    s = np.abs(s)
    level = 10 * np.log10(np.maximum(1e-10, s)) - 10 * np.log10(max(1e-10, s.max()))
    return np.maximum(level, level.max() - 80)


def cens(chroma):
    chroma = librosa.util.normalize(chroma, norm=1, axis=0)
    steps = sum((chroma > step) * 0.25 for step in [0.4, 0.2, 0.1, 0.05])
    window = get_window("hann", 43, fftbins=False)
    return librosa.util.normalize(
        ndimage.convolve(steps, (window / window.sum()).reshape(1, -1), mode="constant"), norm=2, axis=0
    )


def blocks(y):
    s = np.abs(librosa.stft(y, n_fft=POINTS, hop_length=HOP))
    chroma = feature.chroma_stft(S=s**2, sr=RATE, n_fft=POINTS, tuning=0)
    mel = feature.melspectrogram(S=s**2, sr=RATE, n_fft=POINTS, n_mels=96)
    mfcc = feature.mfcc(S=librosa.power_to_db(mel), sr=RATE)
    yield chroma
    yield cens(chroma)
    yield mel
    yield mfcc
    yield feature.delta(mfcc)
    yield feature.delta(mfcc, order=2)
    yield feature.rms(y=y, frame_length=POINTS, hop_length=HOP)
    yield feature.spectral_centroid(S=s, sr=RATE)
    yield feature.spectral_bandwidth(S=s, sr=RATE)
    yield feature.spectral_rolloff(S=s, sr=RATE)
    yield feature.poly_features(S=s, sr=RATE, order=1)
    yield feature.poly_features(S=s, sr=RATE, order=2)
    yield feature.zero_crossing_rate(y, frame_length=POINTS, hop_length=HOP)


def main():
    y = sound()
    parts = librosa.effects.hpss(y)
    rows = np.vstack([decibels(block) for part in parts for block in blocks(part)])
    statistics = np.hstack([rows.mean(1), rows.var(1), rows.max(1)])
    print(rows.shape, statistics.shape, statistics[:3], np.abs(statistics).max())
    save_file(
        {
            "sound": y,
            "harmonic": parts[0].astype(np.float32),
            "percussive": parts[1].astype(np.float32),
            "statistics": statistics.astype(np.float32),
        },
        HERE.with_suffix(".safetensors"),
    )


if __name__ == "__main__":
    main()
