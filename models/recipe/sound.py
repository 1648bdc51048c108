"""Small signal tools shared by the whole recipe: loudness (BS.1770), gain, filters, reverb, files.

Sound is a float32 array of shape [samples, 2] unless a function says otherwise; RATE is 44.1 kHz, the separator's rate.
"""

import pathlib
import subprocess

import numpy as np
import soundfile
from scipy import signal

RATE = 44_100


def run(command, **keywords):
    """Run a program quietly; on failure raise with what it wrote to stderr."""
    done = subprocess.run([str(word) for word in command], capture_output=True, **keywords)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode(errors='replace')[-800:]}")
    return done.stdout


def stereo(samples):
    """[samples] or [samples, channels] to [samples, 2] float32."""
    samples = np.asarray(samples, np.float32)
    if samples.ndim == 1:
        samples = samples[:, None]
    return np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples[:, :2]


def resample(samples, from_rate, to_rate=RATE):
    """Polyphase resampling along the first axis; rates may be any positive numbers (ratio is rounded to 1/1000)."""
    if from_rate == to_rate:
        return np.asarray(samples, np.float32)
    divisor = np.gcd(int(from_rate), int(to_rate))
    up, down = int(to_rate) // divisor, int(from_rate) // divisor
    return signal.resample_poly(samples, up, down, axis=0).astype(np.float32)


def read(path, rate=RATE):
    """A sound file as stereo at `rate`."""
    samples, from_rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(stereo(samples), from_rate, rate)


def write(path, samples, rate=RATE):
    """16-bit WAV or FLAC by the name's ending."""
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(samples, -1.0, 1.0), rate, subtype="PCM_16")


def fit(samples, length):
    """Cut or zero-pad to `length` samples."""
    if len(samples) >= length:
        return samples[:length]
    return np.concatenate([samples, np.zeros((length - len(samples), *samples.shape[1:]), np.float32)])


def decibel(value_db):
    return np.float32(10.0 ** (value_db / 20.0))


def rms(samples):
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)) + 1e-20))


def k_weighting(rate):
    """The two biquads of ITU-R BS.1770 for any rate, as second-order sections."""
    k = np.tan(np.pi * 1681.974450955533 / rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [(high + band * k / q + k * k) / a0, 2 * (k * k - high) / a0, (high - band * k / q + k * k) / a0,
             1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]
    k = np.tan(np.pi * 38.13547087602444 / rate)
    q = 0.5003270373238773
    a0 = 1 + k / q + k * k
    return np.array([shelf, [1, -2, 1, 1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]])


def loudness(samples, rate=RATE):
    """Integrated gated loudness in LUFS (-70 for silence)."""
    weighted = signal.sosfilt(k_weighting(rate), stereo(samples), axis=0)
    block, hop = int(0.4 * rate), int(0.1 * rate)
    if len(weighted) < block:
        weighted = fit(weighted, block)
    energy = np.concatenate([[0.0], np.cumsum(np.sum(weighted**2, axis=1))])
    starts = np.arange(0, len(weighted) - block + 1, hop)
    power = (energy[starts + block] - energy[starts]) / block
    power = power[power > 10 ** ((-70 + 0.691) / 10)]
    if not len(power):
        return -70.0
    gate = np.mean(power) * 0.1
    return float(-0.691 + 10 * np.log10(np.mean(power[power > gate])))


def limit(samples, ceiling_db=-1.5, rate=RATE):
    """Look-ahead peak limiter: gain is the moving minimum of what each peak needs, smoothed."""
    ceiling = decibel(ceiling_db)
    peak = np.max(np.abs(samples), axis=1)
    need = np.minimum(1.0, ceiling / np.maximum(peak, 1e-9))
    if need.min() >= 1.0:
        return samples
    from scipy.ndimage import minimum_filter1d, uniform_filter1d
    size = int(0.008 * rate)
    gain = uniform_filter1d(minimum_filter1d(need, 2 * size), size)
    return (samples * np.minimum(gain, need)[:, None]).astype(np.float32)


def normalise(samples, target_lufs, rate=RATE):
    """Gain to the target loudness, then limit; twice, since limiting takes a little away."""
    for _ in range(2):
        level = loudness(samples, rate)
        if level > -69:
            samples = limit(samples * decibel(target_lufs - level), rate=rate)
    return samples


def fade(samples, fade_in_s=0.0, fade_out_s=0.0, rate=RATE):
    samples = samples.copy()
    count = int(fade_in_s * rate)
    if count:
        samples[:count] *= np.sin(np.linspace(0, np.pi / 2, count, dtype=np.float32))[:, None]
    count = int(fade_out_s * rate)
    if count:
        samples[-count:] *= np.cos(np.linspace(0, np.pi / 2, count, dtype=np.float32))[:, None]
    return samples


def envelope(samples, attack_s=0.02, release_s=0.35, step=441, rate=RATE):
    """Peak-ish level follower at one value each `step` samples, attack and release in seconds."""
    mono = np.abs(samples).max(axis=1)
    frames = len(mono) // step + 1
    level = fit(mono, frames * step).reshape(frames, step).max(axis=1)
    up, down = np.exp(-step / rate / attack_s), np.exp(-step / rate / release_s)
    out, state = np.empty(frames, np.float32), 0.0
    for index, value in enumerate(level):
        keep = up if value > state else down
        state = keep * state + (1 - keep) * value
        out[index] = state
    return out


def duck(bed, voice, depth_db=-10.0, threshold=0.02, rate=RATE):
    """Lower `bed` by `depth_db` while `voice` speaks, as an editor's ducking does."""
    step = 441
    speaking = np.clip(envelope(voice, 0.03, 0.5, step) / threshold, 0, 1)
    smooth = signal.sosfiltfilt(signal.butter(1, 3.0, fs=rate / step, output="sos"), speaking)
    gain_db = depth_db * np.clip(smooth, 0, 1)
    gain = np.interp(np.arange(len(bed)) / step, np.arange(len(gain_db)), gain_db)
    return (bed * (10 ** (gain / 20)).astype(np.float32)[:, None]).astype(np.float32)


def reverb(samples, rng, decay_s=0.6, wet=0.2, rate=RATE):
    """Convolution with a synthetic room: sparse early reflections and a decaying, darkening stereo tail."""
    length = int(max(0.08, decay_s * 1.2) * rate)
    time = np.arange(length) / rate
    tail = rng.standard_normal((length, 2)) * np.exp(-6.9 * time / decay_s)[:, None]
    tail = signal.sosfilt(signal.butter(1, rng.uniform(2500, 7000), fs=rate, output="sos"), tail, axis=0)
    for _ in range(8):
        tail[int(rng.uniform(0.003, 0.05) * rate)] += rng.uniform(-1, 1, 2) * 6
    tail /= np.sqrt(np.sum(tail**2, axis=0, keepdims=True)) + 1e-9
    wet_sound = signal.fftconvolve(samples, tail.astype(np.float32), axes=0)[: len(samples)]
    return (samples * (1 - wet) + wet_sound * wet).astype(np.float32)


def peaking(frequency, gain_db, q=1.0, rate=RATE):
    """One equaliser band (the usual cookbook biquad) as a second-order section."""
    amplitude = 10 ** (gain_db / 40)
    omega = 2 * np.pi * frequency / rate
    alpha = np.sin(omega) / (2 * q)
    a0 = 1 + alpha / amplitude
    return np.array([[(1 + alpha * amplitude) / a0, -2 * np.cos(omega) / a0, (1 - alpha * amplitude) / a0,
                      1, -2 * np.cos(omega) / a0, (1 - alpha / amplitude) / a0]])
