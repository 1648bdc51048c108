"""Teaches the two VGGish what a mood sounds like: one ear for voices, one for music, on corpora of *arena*.

Each patch of 0.96 s should tell the valence and the arousal that the item's card says for its moment, by a linear layer on VGGish's 128
outputs and again after one layer of self-attention over the clip's patches, by which a patch is heard against the speaker's or the
track's own habit; music should also tell its scene. Gain, equaliser, noise and a trace of other music under the voice (as separation
leaves it) are drawn afresh for every clip. Half of what an ear hears are clean stems, half what the pack's separator makes of the mix, as
it hears them in a query. Only the splits train and val are read, val only to report. The layers on top are dropped.
"""

import json
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import soundfile
import torch
from safetensors.torch import load_file
from scipy.signal import resample_poly
from torch import nn

import features
import listen

CLIP_S, STEP_S, GLIDE_S, PATCH_S, HOP_S = 32.0, 8.0, 2.0, 0.96, 0.01
SIDES, KINDS = ("voice", "bgm"), ("clean", "separated")
SCENES = ("battle", "chase", "journey", "riddle", "ceremony", "market", "cavern", "arcade")
PATCHES = 10
SCENE_WEIGHT = 0.15
# Factors on valence and arousal and on a scene's logits, and the deviation of everything else.
MOODS_KEPT, SCENES_KEPT, REST_KEPT = 4.0, 0.5, 0.1


def mood(telling, time_s):
    """(valence, arousal) that a card's telling has at `time_s`, as `Telling::at` of src/arena/story.rs has it."""
    path, place = telling["path"], (time_s - telling["shift_s"] - telling["before_s"]) / STEP_S
    point = lambda index: np.array([path[min(max(index, 0), len(path) - 1)][axis] for axis in ("valence", "arousal")])
    step = int(np.floor(place))
    part = max(0.0, ((place - step) * STEP_S - (STEP_S - GLIDE_S)) / GLIDE_S)
    return point(step) + (point(step + 1) - point(step)) * part


class Item:
    """One side of one video, clean or separated: log-mel frames and what they tell. `begins_s` is where they begin in the telling's time."""

    def __init__(self, mel, telling, begins_s=0.0):
        self.mel, self.scene = mel, SCENES.index(telling["scene"])
        centres = begins_s + np.arange(len(mel)) * HOP_S
        self.moods = np.array([mood(telling, centre) for centre in centres[::10]], np.float32)

    def told(self, starts):
        middle = ((starts + listen.FRAMES // 2) // 10).clip(0, len(self.moods) - 1)
        return self.moods[middle]


def log_mel(path):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return listen.log_mel(resample_poly(samples.mean(1), 16_000, rate).astype(np.float32)).astype(np.float16)


def separated(program, pack, video):
    """Log-mel frames of the two stems that the program cuts a video's sound into, by side."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "separate", video, "--pack", pack, "--out", folder], check=True, capture_output=True)
        return {side: log_mel(pathlib.Path(folder, f"{side}.wav")) for side in SIDES}


def bank(folders, cache, split, program, pack):
    """{(side, kind): items} of a split of several corpora, of the kinds clean and separated; log-mel frames are made once."""
    cache.mkdir(parents=True, exist_ok=True)
    items = {(side, kind): [] for side in SIDES for kind in KINDS}
    for folder in folders:
        for entry in json.loads((folder / "corpus.json").read_text())["items"]:
            if entry["split"] != split:
                continue
            card = json.loads((folder / "cards" / f"{entry['id']}.json").read_text())
            kept = cache / f"{folder.name}_{entry['id']}.npz"
            if not kept.exists():
                clean = {f"{side}_clean": log_mel(folder / entry[side]) for side in SIDES}
                cut = {f"{side}_separated": mel for side, mel in separated(program, pack, folder / entry["video"]).items()}
                np.savez(kept, **clean, **cut)
            mels = np.load(kept)
            for side, kind in items:
                # A separated track begins where the video cuts into it.
                begins_s = card["in_point_s"] if (side, kind) == ("bgm", "separated") else 0.0
                items[side, kind].append(Item(mels[f"{side}_{kind}"], card[side], begins_s))
    return items


class Ear(nn.Module):
    """VGGish with what it is taught by."""

    def __init__(self, state):
        super().__init__()
        self.vggish = features.Vggish(**features.VGGISH)
        self.vggish.load_state_dict(state)
        self.tell, self.scene = nn.Linear(128, 2), nn.Linear(128, len(SCENES))
        self.attend = nn.MultiheadAttention(128, 8, bias=False, batch_first=True)
        self.tell_in_context = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))

    def forward(self, patches):
        """[B, P, 96, 64] to moods [B, P, 2] without and with context, and scenes [B, 8]."""
        rows = self.vggish(patches.flatten(0, 1)[:, None]).unflatten(0, patches.shape[:2])
        seen = rows + self.attend(rows, rows, rows, need_weights=False)[0]
        return self.tell(rows), self.tell_in_context(seen), self.scene(rows.mean(1))


def starts_of(mel, rng):
    """Frames at which a clip's patches start: spread over 32 s from a random place."""
    clip = int(CLIP_S / HOP_S)
    first = rng.integers(0, max(1, len(mel) - clip))
    last = min(len(mel), first + clip) - listen.FRAMES
    return np.sort(rng.integers(first, max(first + 1, last), PATCHES))


def heard(item, starts, rng, traces=()):
    """Patches [P, 96, 64] as they might be heard: another level, microphone and noise, a trace of music."""
    linear = lambda mel: np.exp(mel.astype(np.float32)) - listen.OFFSET
    cut = lambda mel, at: np.stack([mel[start: start + listen.FRAMES] for start in at])
    sound = linear(cut(item.mel, starts))
    level = np.sqrt((sound ** 2).mean())
    if traces and rng.random() < 0.7:
        other = traces[rng.integers(len(traces))].mel
        music = linear(cut(other, (starts + rng.integers(len(other))) % (len(other) - listen.FRAMES)))
        sound = sound + music * level / (np.sqrt((music ** 2).mean()) + 1e-6) * 10 ** (rng.uniform(-50, -14) / 20)
    if rng.random() < 0.5:
        sound = sound + level * 10 ** (rng.uniform(-70, -30) / 20) * np.abs(rng.normal(1, 0.5, sound.shape))
    curve = np.interp(np.arange(listen.BANDS), np.linspace(0, listen.BANDS, 5), rng.normal(0, 0.25, 5)) + rng.normal(0, 0.6)
    return np.log(np.maximum(sound * np.exp(curve), 0) + listen.OFFSET).astype(np.float32)


def report(ear, held, side):
    """Per kind of stem the correlations of valence and arousal with what is told, over steps of 8 s, by the mean of the patches' answers in
    context, and for music the share of scenes told rightly."""
    return "; ".join(f"{kind} {answers(ear, held[side, kind], side == 'bgm')}" for kind in KINDS)


def answers(ear, items, scenes):
    told, truths, right = [], [], 0
    ear.eval()
    with torch.no_grad():
        for item in items:
            starts = np.arange(0, min(len(item.mel), int(CLIP_S / HOP_S)) - listen.FRAMES, 43)
            patches = np.stack([item.mel[start: start + listen.FRAMES] for start in starts]).astype(np.float32)
            _, context, scene = ear(torch.from_numpy(patches)[None])
            right += int(scene[0].argmax()) == item.scene
            step, truth = (starts * HOP_S // STEP_S).astype(int), item.told(starts)
            told += [context[0].numpy()[step == index].mean(0) for index in range(4)]
            truths += [truth[step == index].mean(0) for index in range(4)]
    ear.train()
    told, truths = np.array(told), np.array(truths)
    valence, arousal = (np.corrcoef(told[:, axis], truths[:, axis])[0, 1] for axis in (0, 1))
    return f"valence {valence:.2f}, arousal {arousal:.2f}" + (f", scene {right} of {len(items)}" if scenes else "")


def teach(side, items, held, state, seed, minutes, batch=24, rate=4e-4):
    """One ear, taught for `minutes`, and a line that says how well it hears what it has not heard."""
    torch.manual_seed(seed)
    rng, ear, own = np.random.default_rng([seed, SIDES.index(side)]), Ear(state), [item for kind in KINDS for item in items[side, kind]]
    average = torch.optim.swa_utils.AveragedModel(ear, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995))
    optimiser = torch.optim.AdamW(ear.parameters(), rate, weight_decay=0.01)
    traces = items["bgm", "clean"] if side == "voice" else ()
    begin, step, sums = time.monotonic(), 0, np.zeros(3)
    while (part := (time.monotonic() - begin) / 60 / minutes) < 1:
        chosen = [own[index] for index in rng.integers(0, len(own), batch)]
        starts = [starts_of(item.mel, rng) for item in chosen]
        patches = torch.from_numpy(np.stack([heard(item, at, rng, traces) for item, at in zip(chosen, starts)]))
        told = torch.from_numpy(np.stack([item.told(at) for item, at in zip(chosen, starts)]))
        alone, context, scene = ear(patches)
        parts = [nn.functional.mse_loss(alone, told), nn.functional.mse_loss(context, told)]
        loss = sum(parts)
        if side == "bgm":
            parts.append(nn.functional.cross_entropy(scene, torch.tensor([item.scene for item in chosen])))
            loss = loss + SCENE_WEIGHT * parts[2]
        optimiser.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * part)) + 1e-6
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(ear.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(ear)
        sums[: len(parts)] += [float(value.detach()) for value in parts]
        step += 1
        if step % 100 == 0:
            print(f"{side} step {step} errors {np.round(sums / 100, 3)} held out: {report(average.module, held, side)}, "
                  f"{(time.monotonic() - begin) / 60:.1f} min", flush=True)
            sums[:] = 0
    ear = average.module
    line = (f"{side} ear, {step} steps on {len(own)} stems: what {len(held[side, 'clean'])} unheard items tell, in steps of 8 s: "
            f"{report(ear, held, side)}")
    return ear, line


def levelled(ear, side, items, seed):
    """The ear's VGGish with its last layer turned: the first two outputs are valence and arousal as it hears them, in the same units for
    both ears, and the music's next eight how far it hears each scene, so that heads which do nothing yet compare moods and scenes already;
    the directions that are left follow, quieter."""
    rng, last = np.random.default_rng(seed), ear.vggish.embeddings[4]
    with torch.no_grad():
        outs = torch.cat([ear.vggish(torch.from_numpy(heard(item, starts_of(item.mel, rng), rng))[:, None]) for item in items[::2]])
        weight, bias = MOODS_KEPT * ear.tell.weight, MOODS_KEPT * ear.tell.bias
        if side == "bgm":
            scenes = ear.scene.weight - ear.scene.weight.mean(0)
            weight = torch.cat([weight, SCENES_KEPT * scenes])
            bias = torch.cat([bias, SCENES_KEPT * (ear.scene.bias - ear.scene.bias.mean())])
        basis = torch.linalg.qr(torch.cat([weight, torch.eye(128)]).T)[0].T[len(weight):]
        basis = REST_KEPT * basis / (((outs - outs.mean(0)) @ basis.T).std(0)[:, None] + 1e-4)
        turn, shift = torch.cat([weight, basis]), torch.cat([bias, -(basis @ outs.mean(0))])
        last.bias.copy_(turn @ last.bias + shift)
        last.weight.copy_(turn @ last.weight)
    return ear.vggish


def before(work, pack, side):
    path = work / "vggish.pt"
    if path.exists():
        return torch.load(path, weights_only=True)
    return {name: tensor.float() for name, tensor in load_file(pack / f"vggish_{side}.safetensors").items()}


def train(work, program, pack, seed, minutes, threads=1):
    """Both ears on the corpus in `work`, from the VGGish that listen.py left or, where it has not run, from the pack's own."""
    torch.set_num_threads(threads)
    items, held = (bank([work / "arena"], work / "mel" / "arena", split, program, pack) for split in ("train", "val"))
    lines = []
    for side in SIDES:
        ear, line = teach(side, items, held, before(work, pack, side), seed, minutes)
        torch.save(ear.state_dict(), work / f"ear_{side}_whole.pt")
        torch.save(levelled(ear, side, items[side, "clean"], seed).state_dict(), work / f"ear_{side}.pt")
        lines.append(line)
        print(line, flush=True)
    (work / "ears.md").write_text("\n".join(lines) + "\n")
