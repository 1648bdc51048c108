"""The separator's recordings, held whole on the device that trains, and cut there a batch at a time.

A bank is one kind of recording (speech, music, sounds): 16-bit samples end to end. A cut reads it at any positions, fractions included, so
that speed and pitch bend for free while reading; a recording that is shorter than the cut comes round again, speech after a pause.
"""

import numpy as np
import torch
from torch.nn import functional

from sound import RATE

KINDS = {"speech": 1, "music": 2, "sounds": 2}  # channels


def uniform(like, count, low, high):
    """[count] numbers on the device of `like`."""
    return torch.rand(count, device=like.device) * (high - low) + low


class Bank:
    def __init__(self, paths, channels, device):
        arrays = [np.load(path, mmap_mode="r") for path in paths]
        lengths = [len(array) for array in arrays]
        self.samples = torch.empty(sum(lengths), channels, dtype=torch.int16, device=device)
        place = 0
        for array in arrays:
            self.samples[place: place + len(array)] = torch.from_numpy(np.array(array).reshape(len(array), channels))
            place += len(array)
        self.lengths = torch.tensor(lengths, device=device)
        self.starts = self.lengths.cumsum(0) - self.lengths

    def __len__(self):
        return len(self.lengths)

    def cut(self, count, length, speed=0.0, bend=0.0, pause_s=0.0):
        """Random stretches, [count, channels, length].

        `speed` is the deviation of the logarithm of the rate of play, the same for a whole stretch, `bend` of changes within it, several
        a second; after up to `pause_s` of silence a recording comes round again.
        """
        pick = torch.randint(len(self), (count,), device=self.samples.device)
        knots = torch.randn(count, 1, max(2, int(length / RATE * 4)), device=self.samples.device) * uniform(pick, count, 0, bend)[:, None, None]
        drift = functional.interpolate(knots, size=length, mode="linear", align_corners=True)[:, 0]
        rate = (drift + speed * torch.randn(count, 1, device=pick.device).clamp(-2, 2)).exp()
        whole = self.lengths[pick] + (uniform(pick, count, 0.1, 1) * pause_s * RATE).long()
        position = (rate.double().cumsum(1) + (torch.rand(count, device=pick.device).double() * whole)[:, None]) % whole[:, None]
        return self.read(pick, position)

    def read(self, pick, position):
        """Samples of recordings `pick` [count] at `position` [count, length], between them by a cubic; silence outside."""
        before = position.floor()
        part = (position - before).float()
        before = before.long()
        last, start = self.lengths[pick][:, None] - 1, self.starts[pick][:, None]
        squared, cubed = part * part, part * part * part
        weights = (-0.5 * cubed + squared - 0.5 * part, 1.5 * cubed - 2.5 * squared + 1,
                   -1.5 * cubed + 2 * squared + 0.5 * part, 0.5 * cubed - 0.5 * squared)
        out = 0
        for shift, weight in zip((-1, 0, 1, 2), weights):
            at = before + shift
            weight = weight * ((at >= 0) & (at <= last)) / 32767
            out = out + self.samples[start + torch.minimum(at.clamp(0), last)] * weight[:, :, None]
        return out.transpose(1, 2)


def load(folders, device):
    """{kind: Bank} of all that lies in the folders."""
    paths = {kind: [path for folder in folders for path in sorted((folder / kind).glob("*.npy"))] for kind in KINDS}
    return {kind: Bank(paths[kind], channels, device) for kind, channels in KINDS.items()}
