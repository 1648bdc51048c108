"""Mixes of voice and BGM for the separator, drawn afresh and a batch at a time on the device that trains.

Synthetic voices are few, too clean and too dry; what lies between them and a real take is drawn at random: size of the throat and
pitch, breath, strain, compression, a microphone's band, a room. The BGM lies from far below the voice to above it, wide or narrow, at
times ducked. Voices are [count, 1, samples] and then, like beds, [count, 2, samples].
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch.nn import functional

from banks import uniform
from sound import RATE

FRAME, HOP, BINS = 4096, 1024, 1024
LEVEL = 0.12  # RMS of a voice while it speaks, and of a bed at 0 dB
STEP = 256  # samples between values of an envelope


def samples_of(frames):
    return (frames - 1) * HOP + FRAME


def each(values):
    """[count] to [count, 1, 1]."""
    return values[:, None, None]


def chance(like, probability):
    """[count, 1, 1] of 1.0 or 0.0, one for each example of `like`."""
    return each((torch.rand(len(like), device=like.device) < probability).float())


def draw(like, low, high):
    return each(uniform(like, len(like), low, high))


def decibel(values):
    return 10 ** (values / 20)


def follow(samples, width):
    """RMS over about `width` steps, one value a sample, [count, 1, samples]."""
    steps = functional.avg_pool1d(samples.square().mean(1, keepdim=True), STEP, ceil_mode=True)
    level = functional.avg_pool1d(steps, width, stride=1, padding=width // 2, count_include_pad=False).sqrt()
    return functional.interpolate(level, size=samples.shape[2], mode="linear")


def walk(like, hertz):
    """A smooth random curve of deviation 1, [count, 1, samples]."""
    knots = torch.randn(len(like), 1, max(2, int(like.shape[2] / RATE * hertz)), device=like.device)
    return functional.interpolate(knots, size=like.shape[2], mode="linear", align_corners=True)


def throat(voice):
    """What effort, breath and a recording chain do to a voice before the room: each now and then."""
    time = torch.arange(voice.shape[2], device=voice.device) / RATE
    tremor = 0.5 - 0.5 * torch.cos(2 * np.pi * draw(voice, 30, 100) * time)
    voice = voice * (1 - chance(voice, 0.12) * draw(voice, 0.1, 0.5) * tremor)
    # Sibilants and breath as noise: several of the synthesisers end at 8 kHz, and all are too clean.
    sharp = functional.pad(voice[:, :, 1:] - voice[:, :, :-1], (0, 1))
    noise = torch.randn_like(voice)
    noise = noise - draw(voice, 0.0, 0.95) * functional.pad(noise[:, :, :-1], (1, 0))
    voice = voice + chance(voice, 0.5) * decibel(draw(voice, -24, 0)) * noise * follow(sharp, 3)
    voice = voice + chance(voice, 0.3) * decibel(draw(voice, -34, -14)) * noise * follow(voice, 9)
    drive = draw(voice, 1.0, 14.0)
    voice = torch.lerp(voice, torch.tanh(voice * drive) / drive, chance(voice, 0.15))
    squeeze = chance(voice, 0.4) * draw(voice, 0.1, 0.6)
    voice = voice * (follow(voice, 5) / LEVEL + 0.05) ** -squeeze
    voice = voice * decibel(draw(voice, 0, 5) * walk(voice, 3))
    return voice + chance(voice, 0.3) * decibel(draw(voice, -65, -38)) * LEVEL * noise


def in_turn(voice):
    """Pauses, and at times the voice of the next example takes over."""
    gate = torch.sigmoid(8 * walk(voice, 1.5) + 4)
    voice = torch.lerp(voice, voice * gate, chance(voice, 0.2))
    turn = torch.sigmoid(40 * walk(voice, 0.7))
    return torch.lerp(voice, voice * turn + voice.roll(1, 0) * (1 - turn), chance(voice, 0.15))


def room(samples, probability, longest_s=0.9):
    """Random rooms, stereo: a decaying, darkening tail with a few early reflections, by FFT. Channels share some of it or nothing."""
    count, _, length = samples.shape
    size = int(longest_s * RATE)
    time = torch.arange(size, device=samples.device) / RATE
    decay = draw(samples, np.log(0.06), np.log(longest_s * 1.2)).exp()
    tail = torch.randn(count, 2, size, device=samples.device)
    tail = torch.lerp(tail, tail[:, :1], torch.maximum(chance(samples, 0.5), draw(samples, 0, 1))) * torch.exp(-6.9 * time / decay)
    tail = tail * (time > draw(samples, 0.0, 0.03))
    early = torch.randint(int(0.001 * RATE), int(0.05 * RATE), (count, 1, 6), device=samples.device).expand(-1, 2, -1)
    tail = tail.scatter_add(2, early, torch.randn(count, 2, 6, device=samples.device) * draw(samples, 0, 12))
    fast = next_fast_len(length + size, real=True)
    frequency = torch.fft.rfftfreq(fast, 1 / RATE, device=samples.device)
    response = torch.fft.rfft(tail, fast) / torch.sqrt(1 + (frequency / draw(samples, 1500, 9000)).square())
    response = response / (response.abs().square().mean((1, 2), keepdim=True).sqrt() + 1e-9)
    wet = chance(samples, probability) * decibel(draw(samples, -26, 0))
    wet_sound = torch.fft.irfft(torch.fft.rfft(samples, fast) * response, fast)[:, :, :length]
    return (samples + wet * wet_sound) / (1 + wet.square()).sqrt()


def spectrum(samples):
    """[count, 2, samples] to complex [count, 2, frames, BINS]."""
    count = len(samples)
    full = torch.stft(samples.flatten(0, 1), FRAME, HOP, window=torch.hann_window(FRAME, device=samples.device), center=False,
                      return_complex=True)
    return full[:, :BINS].transpose(1, 2).unflatten(0, (count, 2))


def curve(like, deviation_db, probability, low_hz, high_hz):
    """Random smooth equalisers with, now and then, a low and a high band limit between the given pairs: [count, 1, 1, BINS]."""
    knots = torch.randn(len(like), 1, 7, device=like.device) * deviation_db * chance(like, probability)
    hertz = torch.arange(1, BINS + 1, device=like.device) * RATE / FRAME
    place = (torch.log2(hertz) - torch.log2(hertz[0])) / 10 * 6
    left = place.long().clamp(0, 5)
    shape = torch.lerp(knots[:, :, left], knots[:, :, left + 1], place - left)
    limit = lambda pair, sign: (torch.log2(hertz) - torch.log2(draw(like, *pair))).mul(sign).clamp(min=0) * draw(like, 12, 60)
    shape = shape - chance(like, probability * 0.6) * limit(low_hz, -1) - chance(like, probability * 0.4) * limit(high_hz, 1)
    return decibel(shape.clamp(-70, 20))[:, None]


def formants(spectra, probability):
    """Throats of other sizes: moves the spectral envelope by a few semitones and leaves the pitch."""
    level = (spectra.abs() + 1e-4).log().mean(1)
    smooth = lambda rows: functional.avg_pool1d(rows, 31, stride=1, padding=15, count_include_pad=False)
    envelope = smooth(smooth(level))
    factor = torch.exp(draw(level, -0.22, 0.22) * chance(level, probability))
    place = (torch.arange(BINS, device=level.device) * factor).clamp(0, BINS - 1.001)
    left = place.long()
    pick = lambda index: envelope.gather(2, index.expand(-1, level.shape[1], -1))
    moved = torch.lerp(pick(left), pick(left + 1), (place - left).expand(-1, level.shape[1], -1))
    return spectra * (moved - envelope).clamp(-2.3, 2.3).exp()[:, None]


@dataclass
class Mixes:
    """What losses and measures need of a batch: the mix's magnitude and, for each stem, its magnitude and its product with the mix
    (real part of one times the conjugate of the other), all [count, 2, frames, BINS]."""
    mix: torch.Tensor
    stems: list
    products: list


def mixes(voice, bed):
    """From complex spectra."""
    both = voice + bed
    product = lambda stem: stem.real * both.real + stem.imag * both.imag
    return Mixes(both.abs(), [voice.abs(), bed.abs()], [product(voice), product(bed)])


def beds(banks, count, length):
    music = banks["music"].cut(count, length, speed=0.14)
    level = lambda samples: samples / samples.square().mean((1, 2), keepdim=True).sqrt().clamp(min=0.05 * LEVEL) * LEVEL
    music = level(music)
    music = music + chance(music, 0.15) * decibel(draw(music, -14, 0)) * music.roll(1, 0)
    sounds = level(banks["sounds"].cut(count, length, speed=0.2)) * decibel(draw(music, -20, 0))
    kind = each(uniform(music, count, 0, 1))
    bed = music * (kind < 0.93) + sounds * (kind > 0.72)
    hiss = torch.randn_like(bed)
    hiss = torch.lerp(hiss, hiss[:, :1], draw(bed, 0, 1))
    bed = bed + chance(bed, 0.08) * decibel(draw(bed, -30, -8)) * LEVEL * hiss
    bed = room(bed, 0.2)
    middle = bed.mean(1, keepdim=True)
    bed = middle + (bed - middle) * (1 - chance(bed, 0.3)) * draw(bed, 0.3, 1.6)
    drive = draw(bed, 1.0, 8.0)
    return level(torch.lerp(bed, torch.tanh(bed * drive) / drive, chance(bed, 0.15)))


def batch(banks, count, frames):
    """A batch of Mixes drawn with torch's own random state."""
    length = samples_of(frames)
    voice = banks["speech"].cut(count, length, speed=0.12, bend=0.12, pause_s=1.5)
    voice = room(throat(in_turn(voice)), 0.55)
    bed = beds(banks, count, length) * decibel(draw(voice, -30, 8))
    speaking = (follow(voice, 81) / (0.4 * LEVEL)).clamp(0, 1)
    bed = bed * decibel(chance(bed, 0.3) * draw(bed, -14, -3) * speaking)
    kind = draw(voice, 0, 1)
    voice, bed = voice * (kind > 0.1), bed * ((kind < 0.1) | (kind > 0.18)) * (kind > 0.01)
    balance = 1 + chance(voice, 0.15) * draw(voice, -0.4, 0.4)
    voice = voice * torch.cat([balance, 2 - balance], 1)
    gain = decibel(draw(voice, -22, 5))
    spoken = formants(spectrum(voice * gain), 0.5) * curve(voice, 4.0, 0.75, (60, 350), (3200, 10000))
    played = spectrum(bed * gain) * curve(bed, 4.0, 0.7, (30, 200), (2500, 10000))
    narrow = curve(voice, 3.0, 0.15, (80, 350), (3200, 9000))
    return mixes(spoken * narrow, played * narrow)


def plain(voice, bed, level_db):
    """Mixes of whole pairs as they are, the BGM `level_db` from the voice while it speaks, as evaluate.py has it."""
    loud = (voice.abs() > 0.05 * voice.abs().amax((1, 2), keepdim=True)).float()
    voice = voice / ((voice.square() * loud).sum((1, 2), keepdim=True) / loud.sum((1, 2), keepdim=True).clamp(min=1)).sqrt().clamp(min=1e-3) * 0.1
    bed = bed / bed.square().mean((1, 2), keepdim=True).sqrt().clamp(min=1e-4) * 0.1 * 10 ** (level_db / 20)
    return mixes(spectrum(voice), spectrum(bed))
