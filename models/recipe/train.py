"""Trains the two U-nets of the separator on mixes that are drawn afresh for every step.

Loss: Spleeter's L1 between estimated and true stem magnitude, once for each net's own output and once after the ratio mask that the
program applies; each example is divided by its stem's and its mix's mean, so that a faint bed counts as much as a loud one. Adam with a
cosine rate over the training time, an exponential average of the weights, checkpoints every 100 steps; run again to go on.
"""

import time

import numpy as np
import torch

import sound
import unet

FRAME, HOP, BINS = 4096, 1024, 1024
SHAPES = [((4, 128), 0.75), ((2, 256), 0.2), ((1, 512), 0.05)]  # (examples, frames) and how often
RATE_START, RATE_END = 2e-3, 3e-5


class Banks:
    """The corpus folders of one split as memory-mapped arrays; `look` finds files that were added meanwhile."""

    def __init__(self, folder):
        self.folder = folder
        self.look()

    def look(self):
        self.arrays = {kind: [np.load(path, mmap_mode="r") for path in sorted((self.folder / kind).glob("*.npy"))]
                       for kind in ("speech", "music", "sounds")}

    def cut(self, rng, kind, length, bend=True):
        """A random stretch of `length` samples, [length, channels], often played a little faster or slower."""
        array = self.arrays[kind][rng.integers(len(self.arrays[kind]))]
        factor = float(np.exp(rng.uniform(-0.16, 0.16))) if bend and rng.random() < 0.6 else 1.0
        need = int(length * factor) + 2
        slack = need // 2 if kind == "speech" else 0  # narration may begin or end within the stretch
        start = int(rng.integers(-slack, max(1, len(array) - need + slack)))
        piece = np.asarray(array[max(0, start): max(0, start + need)], np.float32) / 32767
        piece = piece.reshape(len(piece), -1)
        out = np.zeros((need, piece.shape[1]), np.float32)
        at = max(0, -start)
        out[at: at + len(piece)] = piece[: need - at]
        if factor == 1.0:
            return out[:length]
        grid = np.arange(length) * factor
        return np.stack([np.interp(grid, np.arange(need), channel).astype(np.float32) for channel in out.T], 1)


def spectrum(samples):
    """[samples, channels] to complex [channels, frames, BINS]."""
    window = torch.hann_window(FRAME)
    full = torch.stft(torch.from_numpy(np.ascontiguousarray(samples.T)), FRAME, HOP, window=window, center=False, return_complex=True)
    return full.transpose(1, 2)[:, :, :BINS]


def tilt(rng):
    """A random smooth equaliser curve over the kept bins."""
    knots = rng.normal(0, 4.0, 7)
    position = np.log2(np.arange(1, BINS + 1))
    return torch.from_numpy(10 ** (np.interp(position, np.linspace(0, 10, 7), knots) / 20)).float()


def example(rng, banks, frames):
    """One mix: magnitudes of (mix, voice, bgm), each [2, frames, BINS]."""
    length = (frames - 1) * HOP + FRAME
    kind = rng.choice(["both", "voice", "bgm", "silent"], p=[0.76, 0.1, 0.13, 0.01])
    voice = banks.cut(rng, "speech", length)
    if kind in ("bgm", "silent"):
        voice = voice * 0
    bed = np.zeros((length, 2), np.float32)
    if kind in ("both", "bgm"):
        draw = rng.random()
        if draw < 0.9:
            bed = banks.cut(rng, "music", length)
        if draw > 0.7:
            bed = bed + banks.cut(rng, "sounds", length) * sound.decibel(rng.uniform(-20, 0))
        if rng.random() < 0.35:
            bed = np.repeat(bed.mean(1, keepdims=True), 2, axis=1)
        bed = bed * sound.decibel(rng.uniform(-24, 4))
        if kind == "both" and rng.random() < 0.3:
            bed = sound.duck(bed, voice, rng.uniform(-14, -3))
    gain = sound.decibel(rng.uniform(-22, 5))
    spoken = spectrum(voice * gain) * (tilt(rng) if rng.random() < 0.7 else 1.0)
    balance = 1 + (rng.uniform(-0.4, 0.4) if rng.random() < 0.15 else 0.0)
    spoken = torch.cat([spoken * balance, spoken * (2 - balance)])
    played = spectrum(bed * gain) * (tilt(rng) if rng.random() < 0.7 else 1.0)
    return torch.stack([(spoken + played).abs(), spoken.abs(), played.abs()])


def batch(rng, banks, count, frames):
    """(mix, voice, bgm), each [count, 2, frames, BINS]."""
    return torch.stack([example(rng, banks, frames) for _ in range(count)], 1).unbind(0)


def loss(nets, mix, targets):
    """Own outputs and ratio-masked outputs against the true magnitudes."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = [nets[stem](mix.contiguous(memory_format=torch.channels_last)) for stem in unet.STEMS]
    squares = [output.square() for output in outputs]
    total = sum(squares) + 1e-4
    level = mix.mean((1, 2, 3))
    terms = []
    for output, square, target in zip(outputs, squares, targets):
        scale = target.mean((1, 2, 3)) + 0.2 * level + 1e-3
        for estimate in (output, square / total * mix):
            terms.append(((estimate - target).abs().mean((1, 2, 3)) / scale).mean())
    return sum(terms) / len(terms)


def train(work, minutes, threads, seed):
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    banks, test_banks = Banks(work / "corpus" / "train"), Banks(work / "corpus" / "test")
    nets = torch.nn.ModuleDict()
    for index, stem in enumerate(unet.STEMS):
        torch.manual_seed(seed + index)
        nets[stem] = unet.UNet(0.25).to(memory_format=torch.channels_last)
    average = {stem: {name: tensor.clone() for name, tensor in nets[stem].state_dict().items()} for stem in unet.STEMS}
    optimiser = torch.optim.Adam(nets.parameters(), RATE_START)
    path, step, spent_s = work / "separator.pt", 0, 0.0
    if path.exists():
        saved = torch.load(path, weights_only=True)
        nets.load_state_dict(saved["nets"])
        optimiser.load_state_dict(saved["optimiser"])
        average, step, spent_s = saved["average"], saved["step"], saved["spent_s"]
    check_rng = np.random.default_rng(99)
    checks = [batch(check_rng, test_banks, 8, 128) for _ in range(3)] if test_banks.arrays["speech"] else []
    running, begin = [], time.monotonic() - spent_s
    while (spent_s := time.monotonic() - begin) < minutes * 60:
        rng = np.random.default_rng([seed, step, 5])
        if step % 200 == 0:
            banks.look()
        rate = float(RATE_END + (RATE_START - RATE_END) * 0.5 * (1 + np.cos(np.pi * min(1.0, spent_s / (minutes * 60)))))
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 50)
        count, frames = SHAPES[rng.choice(len(SHAPES), p=[share for _, share in SHAPES])][0]
        mix, voice, bgm = batch(rng, banks, count, frames)
        nets.train()
        value = loss(nets, mix, (voice, bgm))
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(nets.parameters(), 5.0)
        optimiser.step()
        step += 1
        keep = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for stem in unet.STEMS:
                for name, tensor in nets[stem].state_dict().items():
                    if tensor.dtype.is_floating_point:
                        average[stem][name].lerp_(tensor, 1 - keep)
        running.append(float(value.detach()))
        if step % 100 == 0:
            save(path, nets, optimiser, average, step, spent_s)
            print(f"step {step} {spent_s / 60:.1f} min rate {rate:.2e} train {np.mean(running):.4f} test {validate(average, checks):.4f} "
                  f"files {[len(row) for row in banks.arrays.values()]}", flush=True)
            running = []
    save(path, nets, optimiser, average, step, spent_s)


def save(path, nets, optimiser, average, step, spent_s):
    partial = path.with_suffix(".part")
    torch.save({"nets": nets.state_dict(), "optimiser": optimiser.state_dict(), "average": average, "step": step, "spent_s": spent_s}, partial)
    partial.rename(path)


def validate(average, checks):
    """The loss of the averaged weights on fixed held-out mixes."""
    if not checks:
        return float("nan")
    nets = torch.nn.ModuleDict({stem: unet.UNet(0.25) for stem in unet.STEMS}).to(memory_format=torch.channels_last)
    for stem in unet.STEMS:
        nets[stem].load_state_dict(average[stem])
    nets.eval()
    with torch.no_grad():
        return float(np.mean([float(loss(nets, mix, (voice, bgm))) for mix, voice, bgm in checks]))
