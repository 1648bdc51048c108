"""Twelve values beside each of VGGish's rows: how much of each degree of the scale sounds in its patch. As `src/signal/chroma.rs` makes them.

64 mel bands cannot tell a minor third from a major one. Peaks of the spectrum stand for the pitch classes of the notes that they may be
harmonics of (Gómez, 2006), in the tuning of the piece itself. They are turned so that the tonic of the clip comes first: that of the key
whose profile (Albrecht and Shanahan, 2013) fits best. A degree's value is 12 times its share, less 1; silence is 0.
"""

import numpy as np

RATE, POINTS, HOP = 16_000, 8192, 4096
LOWEST_HZ, HIGHEST_HZ, FAINTEST = 65.0, 1000.0, 0.01
PATCH_S = 0.975
HARMONICS = ((1, 1.0), (2, 0.7), (3, 0.49), (4, 0.343))
MAJOR = np.array([0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081])
MINOR = np.array([0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052])


def classes(samples):
    """16 kHz mono to how much of each pitch class sounds in each frame [F, 12]; frame f covers the samples from f x 4096 on."""
    count = max(0, 1 + (len(samples) - POINTS) // HOP)
    out = np.zeros((count, 12))
    if count == 0:
        return out.astype(np.float32)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(POINTS) / POINTS)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, POINTS)[::HOP][:count]
    spectra = np.abs(np.fft.rfft(frames * window)).astype(np.float32)
    hz = RATE / POINTS
    first, last = int(LOWEST_HZ / hz), int(HIGHEST_HZ / hz)
    left, peak, right = (spectra[:, first + shift: last + 1 + shift] for shift in (-1, 0, 1))
    loud = (peak > left) & (peak >= right) & (peak > FAINTEST * peak.max(1, keepdims=True))
    frame, place = np.nonzero(loud)
    low, middle, high = (np.log(np.maximum(values[frame, place], 1e-12)) for values in (left, peak, right))
    offset = 0.5 * (low - high) / np.minimum(low - 2 * middle + high, -1e-6)
    pitch, weight = 69 + 12 * np.log2((place + first + offset) * hz / 440), peak[frame, place]
    tuning = np.arctan2((weight * np.sin(2 * np.pi * pitch)).sum(), (weight * np.cos(2 * np.pi * pitch)).sum()) / (2 * np.pi)
    for harmonic, likelihood in HARMONICS:
        note = pitch - tuning - 12 * np.log2(harmonic)
        # Between two semitones nothing is said of either.
        near = np.cos(np.pi * (note - np.round(note))) ** 2
        np.add.at(out, (frame, np.round(note).astype(int) % 12), weight * likelihood * near)
    return out.astype(np.float32)


def tonic(sounding):
    """The pitch class that is the tonic of the best fitting key."""
    fits = [max(np.corrcoef(np.roll(sounding, -note), profile)[0, 1] for profile in (MAJOR, MINOR)) for note in range(12)]
    return int(np.argmax(fits)) if np.ptp(sounding) > 0 else 0


def degrees(frames, starts_s):
    """Of a clip's frames of pitch classes [F, 12], the degrees of the patches that start at these seconds [P, 12]."""
    turned = np.roll(frames, -tonic(frames.sum(0)), axis=1)
    centres = (np.arange(len(frames)) * HOP + POINTS / 2) / RATE
    within = (centres >= np.asarray(starts_s)[:, None]) & (centres < np.asarray(starts_s)[:, None] + PATCH_S)
    sums = within.astype(np.float32) @ turned
    whole = sums.sum(1, keepdims=True)
    return np.where(whole > 0, 12 * sums / np.maximum(whole, 1e-12) - 1, 0).astype(np.float32)
