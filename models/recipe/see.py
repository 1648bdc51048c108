"""Teaches SlowFast what a picture tells, on corpora of *arena*: valence, arousal and the scene, from the rows it gives MRCMV.

Each of a clip's eight rows (averages of the slow and of eight fast steps, as `video_fc` takes them) should tell the valence and the
arousal that the card says for its four seconds, by one linear layer; the clip's mean row should tell the scene. Crop, mirror, size,
tint, light and grain are drawn afresh for every clip, for arenas of the test split have other colours. Only the splits train and val are
read, val only to report. The linear layer becomes the first weights of `video_fc`. Where the pack's SlowFast was taught already, what time
there is goes on from there.
"""

import json
import subprocess
import time

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

import features
import hear
import provenance
import stems

# Pictures a second that are kept, and every which one a clip takes.
KEPT_RATE, STRIDE = 4, 2
FAST, SLOW, CROP, SHORT_SIDE, LONG_SIDE = 64, 8, 112, 128, 228
PIXEL_MEAN, PIXEL_STD = 0.45, 0.225
# The first part of the time goes to small pictures, of which three cost as much as one of full size.
SMALL, SMALL_PART = 64, 0.6
SCENE_WEIGHT = 0.3


class Film:
    """The pictures of one video [N, 128, 228, 3], four a second, and what they tell."""

    def __init__(self, frames, telling):
        self.frames, self.scene = frames, stems.SCENES.index(telling["scene"])
        self.moods = np.array([stems.mood(telling, (index + 0.5) / KEPT_RATE) for index in range(len(frames))], np.float32)

    def starts(self):
        """How many places a clip can start at."""
        return max(1, len(self.frames) - FAST * STRIDE + 1)

    def clip(self, start):
        """64 pictures from the kept one `start`, the last ones again where the video ends, and the moods of the eight rows [8, 2]."""
        places = (start + STRIDE * np.arange(FAST)) % len(self.frames)
        return self.frames[places], self.moods[places].reshape(SLOW, -1, 2).mean(1)


def bank(folders, cache, split):
    """The films of a split of several corpora; pictures are decoded once."""
    cache.mkdir(parents=True, exist_ok=True)
    films = []
    for folder in folders:
        for entry in json.loads((folder / "corpus.json").read_text())["items"]:
            if entry["split"] == split:
                card = json.loads((folder / "cards" / f"{entry['id']}.json").read_text())
                kept = cache / f"{folder.name}_{entry['id']}.npy"
                if not kept.exists():
                    np.save(kept, decode(folder / entry["video"]))
                films.append(Film(np.load(kept, mmap_mode="r"), card["picture"]))
    return films


def decode(video):
    """Pictures [N, 128, 228, 3] in the middle of each quarter of a second."""
    scale = f"fps={KEPT_RATE}:start_time=0:round=down,scale={LONG_SIDE}:{SHORT_SIDE}:flags=area"
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", str(video), "-vf", scale, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, SHORT_SIDE, LONG_SIDE, 3)


class Eye(nn.Module):
    """SlowFast with what it is taught by."""

    def __init__(self):
        super().__init__()
        self.slowfast = features.SlowFast(**features.SLOWFAST)
        self.tell = nn.Linear(features.MRCMV["fast_dim"] + features.MRCMV["slow_dim"], 2 + len(stems.SCENES))

    def rows(self, fast):
        """Clips [B, 3, 64, H, W] to rows [B, 8, fast + slow]."""
        slow, quick = self.slowfast(fast[:, :, torch.linspace(0, FAST - 1, SLOW).long()], fast)
        return torch.cat([quick.unflatten(1, (SLOW, -1)).mean(2), slow], 2)

    def forward(self, fast):
        """Moods [B, 8, 2] and scenes [B, 8]."""
        told = self.tell(self.rows(fast))
        return told[..., :2], told[..., 2:].mean(1)


def normal(pixels):
    return (pixels - PIXEL_MEAN) / PIXEL_STD


def seen(frames, rng, size=CROP):
    """A clip [3, 64, size, size] as another camera might have it."""
    side = int(rng.integers(100, SHORT_SIDE + 1))
    top, left = rng.integers(0, SHORT_SIDE - side + 1), rng.integers(0, LONG_SIDE - side + 1)
    pixels = torch.from_numpy(np.ascontiguousarray(frames[:, top: top + side, left: left + side])).permute(3, 0, 1, 2).float() / 255
    if rng.random() < 0.5:
        pixels = pixels.flip(3)
    if rng.random() < 0.5:
        pixels = pixels.flip(2)
    if side != size:
        pixels = functional.interpolate(pixels, (size, size), mode="bilinear", antialias=size < CROP)
    tint = torch.from_numpy(np.exp(rng.normal(0, 0.12, 3) + rng.normal(0, 0.12)).astype(np.float32))[:, None, None, None]
    grain = 0.03 * rng.random() * torch.randn(pixels.shape)
    return normal((pixels * tint + grain).clamp(0, 1))


def as_it_is(frames):
    """The middle of a clip, [3, 64, 112, 112], as the program crops it."""
    top, left = (SHORT_SIDE - CROP) // 2, (LONG_SIDE - CROP) // 2
    return normal(torch.from_numpy(np.ascontiguousarray(frames[:, top: top + CROP, left: left + CROP])).permute(3, 0, 1, 2).float() / 255)


def report(eye, films):
    """Correlations of valence and arousal over rows, and the share of scenes that are told rightly, for the first 32 s."""
    answers, truths, right = [], [], 0
    eye.eval()
    with torch.no_grad():
        for film in films:
            frames, moods = film.clip(0)
            told, scene = eye(as_it_is(frames)[None])
            answers.append(told[0].numpy())
            truths.append(moods)
            right += int(scene[0].argmax()) == film.scene
    eye.train()
    answers, truths = np.concatenate(answers), np.concatenate(truths)
    valence, arousal = (np.corrcoef(answers[:, axis], truths[:, axis])[0, 1] for axis in (0, 1))
    return f"valence {valence:.2f}, arousal {arousal:.2f}, scene {right} of {len(films)}"


def before(pack):
    """The eye to begin with: the pack's, where it was taught, with what MRCMV's first layer there takes for the moods of its rows."""
    eye = Eye().to(memory_format=torch.channels_last_3d)
    if provenance.SEEN in provenance.said(pack):
        known = lambda name: {name: tensor.float() for name, tensor in load_file(pack / f"{name}.safetensors").items()}
        eye.slowfast.load_state_dict(known("slowfast"), strict=False)
        heads = known("mrcmv")
        with torch.no_grad():
            eye.tell.weight[:2], eye.tell.bias[:2] = (heads[f"video_fc.{name}"][:2] / hear.MOODS_KEPT for name in ("weight", "bias"))
    return eye


def teach(eye, films, held, seed, minutes, batch=8, rate=1e-3):
    """The eye, taught for `minutes`, and a line that says how well it sees what it has not seen."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    average = torch.optim.swa_utils.AveragedModel(eye, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99), use_buffers=True)
    optimiser = torch.optim.AdamW(eye.parameters(), rate, weight_decay=0.05)
    begin, step, sums = time.monotonic(), 0, np.zeros(2)
    while (part := (time.monotonic() - begin) / 60 / max(minutes, 1e-9)) < 1:
        chosen = [films[index] for index in rng.integers(0, len(films), batch)]
        clips = [film.clip(rng.integers(film.starts())) for film in chosen]
        size = SMALL if part < SMALL_PART else CROP
        pixels = torch.stack([seen(frames, rng, size) for frames, _ in clips])
        moods, scenes = eye(pixels.contiguous(memory_format=torch.channels_last_3d))
        parts = [functional.mse_loss(moods, torch.from_numpy(np.stack([told for _, told in clips]))),
                 functional.cross_entropy(scenes, torch.tensor([film.scene for film in chosen]), label_smoothing=0.1)]
        optimiser.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 30) * (0.5 + 0.5 * np.cos(np.pi * part)) + 1e-6
        optimiser.zero_grad()
        (parts[0] + SCENE_WEIGHT * parts[1]).backward()
        nn.utils.clip_grad_norm_(eye.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(eye)
        sums += [float(value.detach()) for value in parts]
        step += 1
        if step % 50 == 0:
            print(f"eye step {step} errors {np.round(sums / 50, 3)} held out: {report(average.module, held)}, "
                  f"{(time.monotonic() - begin) / 60:.1f} min", flush=True)
            sums[:] = 0
    eye = average.module
    return eye, f"{step} steps on {len(films)} films; of {len(held)} others, rows of 4 s: {report(eye, held)}"


def train(work, pack, seed, minutes, threads=1):
    """The eye on the corpus in `work`, from the pack's or from seeded weights."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    seen_in = lambda split: bank([work / "arena"], work / "films", split)
    films, held = seen_in("train") if minutes > 0 else [], seen_in("val")
    eye, line = teach(before(pack), films, held, seed, minutes)
    torch.save(eye.state_dict(), work / "eye.pt")
    (work / "eye.md").write_text(line + "\n")
    print(line, flush=True)
