"""Gives VGGish first features that mean something: windows of one recording should lie near each other, others apart.

A contrastive task in the manner of COLA (Saeed et al., 2021) on the separator's corpus: two 0.96 s patches at different times of the same
file against those of the other files in the batch, with random gain and equaliser per patch. No labels. Front end as torchvggish's:
16 kHz, 25 ms / 10 ms, magnitude, 64 HTK mel bands 125-7500 Hz, log(mel + 0.01). The last layer is then scaled so that each output has
mean 0 and standard deviation 0.35 over the corpus, about what the original's outputs have.
"""

import time

import numpy as np
import torch
from torch import nn

import features
import sound

FRAMES, BANDS, OFFSET = 96, 64, 0.01


def mel_matrix():
    """[257, 64] triangular weights, as in the original release's mel_features.py."""
    mel = lambda hertz: 1127.0 * np.log(1.0 + hertz / 700.0)
    bins, edges = mel(np.linspace(0, 8000, 257)), np.linspace(mel(125.0), mel(7500.0), BANDS + 2)
    lower = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    upper = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(lower, upper))
    weights[0] = 0.0
    return weights.astype(np.float32)


def log_mel(samples):
    """Mono at 16 kHz to [frames, 64]."""
    count = 1 + (len(samples) - 400) // 160
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160][:count] * window
    return np.log(np.abs(np.fft.rfft(frames, 512)).astype(np.float32) @ mel_matrix() + OFFSET)


def bank(folder, cache):
    """Log-mel arrays of all music, speech and sounds in one split, made once."""
    cache.mkdir(parents=True, exist_ok=True)
    rows = []
    for kind in ("music", "speech", "sounds"):
        for path in sorted((folder / kind).glob("*.npy")):
            kept = cache / f"{kind}_{path.name}"
            if not kept.exists():
                samples = np.load(path).astype(np.float32) / 32767
                mono = sound.resample(samples.reshape(len(samples), -1).mean(1), sound.RATE, 16_000)
                np.save(kept, log_mel(mono).astype(np.float16))
            mel = np.load(kept)
            if len(mel) >= 2 * FRAMES + 40:
                rows.append((kind, mel))
    return rows


def patch(rng, mel, start):
    """[1, 96, 64] with a random gain and a smooth random equaliser."""
    piece = np.exp(mel[start: start + FRAMES].astype(np.float32)) - OFFSET
    curve = np.interp(np.arange(BANDS), np.linspace(0, BANDS, 5), rng.normal(0, 0.35, 5)) + rng.normal(-0.3, 0.7)
    return np.log(np.maximum(piece * np.exp(curve), 0) + OFFSET)[None].astype(np.float32)


def pair(rng, mel):
    first, second = rng.integers(0, len(mel) - FRAMES, 2)
    while abs(first - second) < FRAMES // 2:
        first, second = rng.integers(0, len(mel) - FRAMES, 2)
    return patch(rng, mel, first), patch(rng, mel, second)


def recall(net, rows, kind, windows=8):
    """R@1 of finding the same file's second half by its first half (means over patches), among the held-out files of a kind."""
    mels = [mel for name, mel in rows if name == kind]
    halves = []
    with torch.no_grad():
        for mel in mels:
            starts = np.linspace(0, len(mel) - FRAMES, 2 * windows).astype(int)
            patches = np.stack([mel[start: start + FRAMES] for start in starts])[:, None].astype(np.float32)
            out = net(torch.from_numpy(patches))
            halves.append((out[:windows].mean(0), out[windows:].mean(0)))
    a, b = (torch.stack(side) for side in zip(*halves))
    centre = torch.cat([a, b]).mean(0)
    scores = nn.functional.normalize(a - centre) @ nn.functional.normalize(b - centre).T
    return float((scores.argmax(1) == torch.arange(len(mels))).float().mean()), len(mels)


def train(work, seed, steps=1500, batch=40):
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rows = bank(work / "corpus" / "train", work / "mel" / "train")
    held = bank(work / "corpus" / "test", work / "mel" / "test")
    net, likeness = features.Vggish(**features.VGGISH), nn.Linear(128, 128, bias=False)
    lines = [describe("seeded", net, held)]
    optimiser = torch.optim.Adam([*net.parameters(), *likeness.parameters()], 3e-4)
    rng, begin = np.random.default_rng([seed, 41]), time.monotonic()
    weights = np.array([3.0 if kind == "music" else 1.0 for kind, _ in rows])
    for step in range(steps):
        chosen = rng.choice(len(rows), batch, replace=False, p=weights / weights.sum())
        first, second = (torch.from_numpy(np.stack(side)) for side in zip(*(pair(rng, rows[index][1]) for index in chosen)))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = net(torch.cat([first, second]).contiguous(memory_format=torch.channels_last)).float()
        unit = nn.functional.normalize(out, dim=1)
        scores = nn.functional.normalize(likeness(unit[:batch]), dim=1) @ unit[batch:].T / 0.1
        target = torch.arange(batch)
        value = (nn.functional.cross_entropy(scores, target) + nn.functional.cross_entropy(scores.T, target)) / 2
        optimiser.param_groups[0]["lr"] = 3e-4 * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * step / steps))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        if (step + 1) % 100 == 0:
            print(f"vggish step {step + 1} loss {float(value.detach()):.3f} {(time.monotonic() - begin) / 60:.1f} min", flush=True)
    lines.append(describe("trained", net, held))
    with torch.no_grad():  # whiten each output's mean and spread by the last layer itself
        outs = torch.cat([net(torch.from_numpy(np.stack(pair(rng, mel)))) for _, mel in rows[::3]])
        scale = 0.35 / (outs.std(0) + 1e-4)
        last = net.embeddings[4]
        last.bias.copy_((last.bias - outs.mean(0)) * scale)
        last.weight.mul_(scale[:, None])
    torch.save(net.state_dict(), work / "vggish.pt")
    (work / "vggish.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def describe(state, net, held):
    net.eval()
    parts = []
    for kind in ("music", "speech"):
        score, count = recall(net, held, kind)
        parts.append(f"{kind} {100 * score:.0f} % of {count}")
    net.train()
    return f"VGGish {state}: R@1 of a held-out file's second half by its first half: {', '.join(parts)}."
