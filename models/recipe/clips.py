"""Clips that an ear learns from, cut and disguised by lot on the device that it learns on.

The stems of a side lie end to end in one tensor. A clip is up to 32 s from a random place on, a few of its patches are heard. Each clip is
heard at another level, through another microphone, in another room and noise, its speaker or its instruments of another size, a voice
over a trace of other music, as separation leaves it: what remains is what a mood may be told by.
"""

from dataclasses import dataclass

import numpy as np
import torch

import chroma
import listen
import stems

PATCHES = 10
CLIP = int(stems.CLIP_S / stems.HOP_S)
# Frames of a clip's pitch classes.
CLIP_CLASSES = round(stems.CLIP_S * chroma.RATE / chroma.HOP)
# A smooth equaliser curve has five knots over the mel bands, by linear interpolation.
KNOTS = 5
CURVES = np.stack([np.interp(np.arange(listen.BANDS), np.linspace(0, listen.BANDS, KNOTS), row) for row in np.eye(KNOTS)]).astype(np.float32)
# Profiles of the 24 keys, as deviations of length 1: major keys by tonic, then minor keys.
KEYS = np.stack([np.roll(profile - profile.mean(), tonic) / np.linalg.norm(profile - profile.mean())
                 for profile in (chroma.MAJOR, chroma.MINOR) for tonic in range(12)]).astype(np.float32)


@dataclass(frozen=True)
class Disguise:
    """How far clips are disguised: how many mel bands higher or lower a speaker or an instrument is heard than it is, and how uneven a
    microphone is, in nepers at the knots of its curve; standard deviations."""

    size: float = 0.3
    curve: float = 0.25


@dataclass
class Clips:
    """Drawn clips: patches [B, P, 96, 64], of music their degrees [B, P, 12], valence and arousal told for each patch [B, P, 2], scenes [B]."""

    patches: torch.Tensor
    degrees: torch.Tensor | None
    moods: torch.Tensor
    scenes: torch.Tensor


class Stock:
    """The stems of one side on a device: log-mel frames, moods, scenes, of music the pitch classes too."""

    def __init__(self, items, device):
        join = lambda rows: torch.cat([torch.from_numpy(row) for row in rows]).to(device)
        starts = lambda rows: torch.tensor(np.cumsum([0, *(len(row) for row in rows[:-1])]), device=device)
        self.device, mels, moods = device, [item.mel for item in items], [item.moods for item in items]
        self.mel, self.first, self.length = join(mels), starts(mels), torch.tensor([len(mel) for mel in mels], device=device)
        self.moods, self.first_mood = join(moods), starts(moods)
        self.scenes = torch.tensor([item.scene for item in items], device=device)
        self.classes = None
        if items[0].classes is not None:
            classes = [item.classes for item in items]
            self.classes, self.first_class = join(classes), starts(classes)
            self.classes_length = torch.tensor([len(row) for row in classes], device=device)
            self.keys = torch.from_numpy(KEYS).to(device)

    def cut(self, index, starts):
        """Mel spectra [B, P, 96, 64] of the patches that start at these frames [B, P] of the stems `index` [B], which repeat."""
        frames = starts[..., None] + torch.arange(listen.FRAMES, device=self.device)
        places = self.first[index][:, None, None] + frames % self.length[index][:, None, None]
        return self.mel[places].float().exp() - listen.OFFSET

    def told(self, index, starts):
        tenth = (starts + listen.FRAMES // 2) // 10
        most = (self.length[index][:, None] - 1) // 10
        return self.moods[self.first_mood[index][:, None] + torch.minimum(tenth, most)]

    def degrees(self, index, first, starts):
        """What `chroma.degrees` tells of the patches of clips that begin at frame `first` [B], of all clips at once."""
        seconds = chroma.HOP / chroma.RATE
        begin = (first * stems.HOP_S / seconds).round().long()
        places = begin[:, None] + torch.arange(CLIP_CLASSES, device=self.device)
        there = places < self.classes_length[index][:, None]
        frames = self.classes[self.first_class[index][:, None] + places.minimum(self.classes_length[index][:, None] - 1)] * there[..., None]
        sounding = frames.sum(1)
        fits = (sounding - sounding.mean(1, keepdim=True)) @ self.keys.T
        tonic = fits.unflatten(1, (2, 12)).amax(1).argmax(1)
        turn = (torch.arange(12, device=self.device) + tonic[:, None]) % 12
        centres = (torch.arange(CLIP_CLASSES, device=self.device) * chroma.HOP + chroma.POINTS / 2) / chroma.RATE
        since = (starts * stems.HOP_S - (begin * seconds)[:, None])[..., None]
        within = ((centres >= since) & (centres < since + chroma.PATCH_S)).float()
        sums = (within @ frames).gather(2, turn[:, None].expand(-1, starts.shape[1], -1))
        whole = sums.sum(2, keepdim=True)
        return torch.where(whole > 0, 12 * sums / whole.clamp(min=1e-12) - 1, 0)

    def draw(self, count, generator, disguise, traces=None):
        """`count` clips, with traces of music from another stock if one is given."""
        lot = Lot(count, generator, self.device)
        index = lot.whole(len(self.length), 1)[:, 0]
        first = (lot.uniform(0, 1)[:, 0] * (self.length[index] - CLIP).clamp(min=1)).long()
        last = torch.minimum(self.length[index], first + CLIP) - listen.FRAMES
        starts = first[:, None] + (lot.uniform(0, 1, PATCHES) * (last - first)[:, None]).long().sort(1).values
        music = None if traces is None else traces.cut(lot.whole(len(traces.length), 1)[:, 0], starts + lot.whole(10 * CLIP, 1))
        patches = heard(self.cut(index, starts), lot, disguise, music)
        return Clips(patches, None if self.classes is None else self.degrees(index, first, starts), self.told(index, starts), self.scenes[index])


class Lot:
    """Draws for the clips of a batch."""

    def __init__(self, count, generator, device):
        self.count, self.how = count, {"generator": generator, "device": device}

    def uniform(self, low, high, width=1):
        return low + (high - low) * torch.rand(self.count, width, **self.how)

    def normal(self, deviation, width=1):
        return deviation * torch.randn(self.count, width, **self.how)

    def whole(self, below, width):
        return torch.randint(below, (self.count, width), **self.how)

    def yes(self, share):
        """[B, 1, 1, 1]: 1 for this share of the clips, 0 for the others."""
        return (self.uniform(0, 1) < share).float()[..., None, None]

    def noise(self, shape):
        return torch.randn(shape, **self.how)


def heard(spectra, lot, disguise, music=None):
    """Log-mel patches of mel spectra [B, P, 96, 64] as they might be heard; `music` [B, P, 96, 64] leaves a trace in them."""
    spectra = shifted(spectra, lot.normal(disguise.size))
    level = spectra.square().mean((1, 2, 3), keepdim=True).sqrt()
    spectra = spectra + lot.yes(0.2) * in_a_room(spectra, lot.uniform(0.6, 0.93), lot.uniform(0.05, 0.4))
    if music is not None:
        loud = music.square().mean((1, 2, 3), keepdim=True).sqrt() + 1e-6
        spectra = spectra + lot.yes(0.7) * music * level / loud * decibel(lot.uniform(-50, -14))
    spectra = spectra + lot.yes(0.5) * level * decibel(lot.uniform(-70, -30)) * (1 + 0.5 * lot.noise(spectra.shape)).abs()
    curve = lot.normal(disguise.curve, KNOTS) @ torch.from_numpy(CURVES).to(spectra.device) + lot.normal(0.6)
    return ((spectra * curve.exp()[:, None, None]).clamp(min=0) + listen.OFFSET).log()


def decibel(value):
    return 10 ** (value[..., None, None] / 20)


def in_a_room(spectra, decay, part):
    """What a room adds: each frame dies away over the following ones."""
    frame = torch.arange(listen.FRAMES, device=spectra.device)
    since = (frame[:, None] - frame - 1).clamp(min=0)
    tail = torch.where(frame[:, None] > frame, (1 - decay[..., None]) * decay[..., None] ** since, 0)
    return part[..., None, None] * (tail[:, None] @ spectra)


def shifted(spectra, bands):
    """Mel spectra [B, P, 96, 64] that many bands [B, 1] higher."""
    from_band = (torch.arange(listen.BANDS, device=spectra.device) - bands).clamp(0, listen.BANDS - 1)
    low = from_band.long().clamp(max=listen.BANDS - 2)
    part = (from_band - low)[:, None, None]
    pick = lambda band: spectra.gather(3, band[:, None, None].expand_as(spectra))
    return pick(low) * (1 - part) + pick(low + 1) * part
