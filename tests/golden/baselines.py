"""Twins of CMMR and CBVMR, their losses and gradients, on reproducible weights.

    python tests/golden/baselines.py        writes baselines.safetensors beside this file; needs torch and safetensors
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from noise import noise, weights
from safetensors.torch import save_file

B, T, ALPHA, ROWS = 6, 8, 8, 72
SLOW, FAST = 6, 3
VIDEOS = [0, 1, 2, 3, 1, 4]
BGMS = [0, 1, 2, 3, 4, 2]
OUT = {}


def linear(i, o):
    return {"weight": (o, i), "bias": (o,)}


def named(layers):
    return {f"{name}.{part}": shape for name, parts in layers.items() for part, shape in parts.items()}


def layer(w, name, x):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


NEGATIVES = [(i, k) for i in range(B) for k in range(B) if VIDEOS[i] != VIDEOS[k] and BGMS[i] != BGMS[k]]


# CMMR: rows averaged over time, hidden layer, embedding on the unit sphere, tags from the same layer before it.
MUSIC, HIDDEN, D_E, TAGS = 10, 12, 9, 4
MARGIN, TAG_WEIGHT = 0.5, 1.0
w = weights(
    named(
        {
            "video_hidden": linear(SLOW + FAST, HIDDEN),
            "video_out": linear(HIDDEN, D_E),
            "video_tags": linear(D_E, TAGS),
            "music_hidden": linear(MUSIC, HIDDEN),
            "music_out": linear(HIDDEN, D_E),
            "music_tags": linear(D_E, TAGS),
        }
    )
)
w = {name: tensor.requires_grad_() for name, tensor in w.items()}
slow, fast = noise("slow", (B, T, SLOW)), noise("fast", (B, T * ALPHA, FAST))
rows = noise("rows", (B, ROWS, MUSIC)) + noise("mood", (B, 1, MUSIC))
slow = slow + noise("look", (B, 1, SLOW))
targets = (noise("targets", (B, TAGS)) > 0).float()


def stream(name, x):
    y = layer(w, f"{name}_out", torch.relu(layer(w, f"{name}_hidden", x)))
    return F.normalize(y, dim=1), layer(w, f"{name}_tags", y)


video, video_tags = stream("video", torch.cat([slow.mean(1), fast.mean(1)], 1))
music, music_tags = stream("music", rows.mean(1))
match = video.new_zeros(())
for i, k in NEGATIVES:
    own, other = (video[i] - music[i]).pow(2).sum(), (video[i] - music[k]).pow(2).sum()
    match = match + torch.clamp(MARGIN + own - other, min=0)
match = match / len(NEGATIVES)
tags = F.binary_cross_entropy_with_logits(video_tags, targets) + F.binary_cross_entropy_with_logits(music_tags, targets)
loss = match + TAG_WEIGHT * tags
loss.backward()
OUT |= {"cmmr.video": video, "cmmr.music": music, "cmmr.video_tags": video_tags, "cmmr.music_tags": music_tags}
OUT |= {"cmmr.loss": loss.reshape(1)} | {f"cmmr.gradient.{name}": tensor.grad for name, tensor in w.items()}

# CBVMR: statistics, layers, batch norm, L2; ranking both ways and the structure of either side, as VM-NET has them.
STATISTICS, MUSIC, D_E = 7 * (SLOW + FAST), 20, 8
shapes = named(
    {
        "video.0": linear(STATISTICS, 14),
        "video.1": linear(14, D_E),
        "music.0": linear(MUSIC, 13),
        "music.1": linear(13, 11),
        "music.2": linear(11, D_E),
    }
)
for side, inputs in [("video", STATISTICS), ("music", MUSIC)]:
    shapes |= {f"{side}_norm.{part}": (D_E,) for part in ["weight", "bias", "running_mean", "running_var"]}
    shapes |= {f"{side}_scale.{part}": (inputs,) for part in ["running_mean", "running_var"]}
w = {name: t if "running" in name else t.requires_grad_() for name, t in weights(shapes).items()}


def picture_statistics(slow, fast):
    frames = torch.cat([slow, fast.reshape(B, T, ALPHA, FAST).mean(2)], 2)
    largest = frames.sort(1, descending=True).values[:, :5]
    return torch.cat([frames.mean(1), frames.std(1, unbiased=False), largest.flatten(1)], 1)


def side(name, x, training):
    scaled = (x - w[f"{name}_scale.running_mean"]) / (w[f"{name}_scale.running_var"] + 1e-12).sqrt()
    scaled = scaled.clamp(-5, 5)
    y, layers = scaled, 2 if name == "video" else 3
    for number in range(layers):
        y = layer(w, f"{name}.{number}", torch.relu(y) if number else y)
    running = [w[f"{name}_norm.running_{what}"].clone() for what in ["mean", "var"]]
    y = F.batch_norm(y, *running, w[f"{name}_norm.weight"], w[f"{name}_norm.bias"], training, 0.1, 1e-5)
    return scaled, F.normalize(y, dim=1), running


def inter(a, b):
    total = a.new_zeros(())
    for i, k in NEGATIVES:
        total = total + torch.clamp(0.1 - a[i] @ b[i] + a[i] @ b[k], min=0)
    return total / len(NEGATIVES)


def intra(features, embeddings):
    before = -F.normalize(features, dim=1) @ F.normalize(features, dim=1).T
    after = -embeddings @ embeddings.T
    d1, d2, e1, e2 = before[:, :-1], before[:, 1:], after[:, :-1], after[:, 1:]
    return ((torch.sign(d1 - d2) - torch.sign(e1 - e2)) * (e2 - e1)).mean()


pictures, sounds = picture_statistics(slow, fast), 3 * noise("sounds", (B, MUSIC))
OUT |= {"cbvmr.statistics": pictures}
_, video, _ = side("video", pictures, False)
_, music, _ = side("music", sounds, False)
OUT |= {"cbvmr.video": video, "cbvmr.music": music}
seen, video, video_running = side("video", pictures, True)
heard, music, music_running = side("music", sounds, True)
loss = 3 * inter(video, music) + inter(music, video) + 0.2 * intra(seen, video) + 0.2 * intra(heard, music)
loss.backward()
OUT |= {"cbvmr.loss": loss.reshape(1)}
for name, running in [("video", video_running), ("music", music_running)]:
    OUT |= {f"cbvmr.{name}_norm.running_mean": running[0], f"cbvmr.{name}_norm.running_var": running[1]}
OUT |= {f"cbvmr.gradient.{name}": tensor.grad for name, tensor in w.items() if "running" not in name}

print("losses", OUT["cmmr.loss"].item(), OUT["cbvmr.loss"].item())
save_file(
    {name: value.detach().contiguous() for name, value in OUT.items()}, Path(__file__).with_suffix(".safetensors")
)
