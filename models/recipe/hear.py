"""Teaches the two VGGish what a mood sounds like: one ear for voices, one for music, on corpora of *arena*.

The first outputs of an ear are what it hears: for each patch of 0.96 s the valence and the arousal that the item's card says for its
moment, and how far it hears each scene, which only music says. They are taught twice, as VGGish gives them and again after MRCMV's
self-attention over the clip's patches, by which a patch is heard against the speaker's or the track's own habit; that attention becomes
the first `sa_voice` and `sa_bgm`. The other outputs are whatever helps it. How a clip is disguised is drawn afresh (`clips.py`). Half of
the music's clips are clean stems, of two corpora, as tracks of a library are heard; half are stems that the pack's separator cut from a mix
with another video's voice, as the music of a finished video is heard. Voices need no such lessons, for the separator leaves them as they
were. What the voice's ear learns of synthetic voices beyond a short lesson, it loses for real ones. The music's is taught several times
from the same weights, each time in another way, and the mean of the weights is kept (Wortsman et al., 2022, *Model soups*). Only the splits
train and val are read, val only to report.

Major or minor VGGish cannot hear, so the music's ear is given the degrees of the scale beside each patch (`chroma.py`). It begins with
what is known of modes: the valence of a track goes by how far its notes are rather those of the major than of the minor key (Eerola et
al., 2013, among others).
"""

import copy
import time
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

import chroma
import clips
import features
import listen
import stems
from heads import MORE
from stems import CLIP_S, HOP_S, KINDS, SIDES, STEP_S

SCENE_WEIGHT = 0.4
REPORT_EVERY = 500


@dataclass(frozen=True)
class Lesson:
    """One way to teach an ear: the kinds of stems, the share of values left out of VGGish's wide layers, decay of the weights, the share of
    the average that each step keeps, and for how many times the usual number of steps."""

    kinds: tuple = KINDS
    disguise: clips.Disguise = clips.Disguise()
    dropout: float = 0.0
    decay: float = 0.05
    average: float = 0.99
    longer: float = 1.0


LESSONS = {
    "voice": (Lesson(kinds=KINDS[:1], longer=0.11),),
    "bgm": (Lesson(dropout=0.3), Lesson(disguise=clips.Disguise(0.8, 0.5), dropout=0.4, longer=1.17),
            Lesson(dropout=0.5, decay=0.3, average=0.997, longer=1.17)),
}
# Valence that the first weights give a patch whose notes are those of a major key, less that of a minor one's, per difference of profiles.
MODE = 0.7
# What an output is times valence or arousal, and times a scene's logit.
MOODS_KEPT, SCENES_KEPT = 4.0, 0.5
MOODS, SCENE_LOGITS = slice(0, 2), slice(2, 2 + len(stems.SCENES))


class Ear(nn.Module):
    """The VGGish of a side, and the self-attention that MRCMV begins with."""

    def __init__(self, side):
        super().__init__()
        self.vggish, self.attention = features.Vggish(**features.VGGISH_OF[side]), features.Attention()
        self.vggish.features.to(memory_format=torch.channels_last)
        if self.vggish.chroma is not None:
            with torch.no_grad():
                self.vggish.chroma.weight[0] = torch.from_numpy(MOODS_KEPT * MODE * (chroma.MAJOR - chroma.MINOR))

    def forward(self, patches, degrees=None):
        """Patches [B, P, 96, 64] and of music their degrees [B, P, 12] to (moods [B, P, 2], scenes [B, 8]), of each patch alone and in its
        context."""
        rows = self.vggish(patches.flatten(0, 1)[:, None], None if degrees is None else degrees.flatten(0, 1)).unflatten(0, patches.shape[:2])
        return told(rows), told(rows + self.attention(rows, rows))


def told(rows):
    """What rows [B, P, 128] say: moods [B, P, 2] and, of all together, the logits of the scenes [B, 8]."""
    return rows[..., MOODS] / MOODS_KEPT, rows[..., SCENE_LOGITS].mean(1) / SCENES_KEPT


def report(ear, held, side):
    """Per kind of stem the correlations of valence and arousal with what is told, over steps of 8 s, by the mean of the patches' answers in
    context, and for music the share of scenes told rightly."""
    return "; ".join(f"{kind} {answers(ear, held[side, kind], side == 'bgm')}" for kind in KINDS)


def answers(ear, items, scenes):
    said, truths, right, device = [], [], 0, next(ear.parameters()).device
    ear.eval()
    with torch.no_grad():
        for item in items:
            starts = np.arange(0, min(len(item.mel), int(CLIP_S / HOP_S)) - listen.FRAMES, 43)
            patches = np.stack([item.mel[start: start + listen.FRAMES] for start in starts]).astype(np.float32)
            moods, scene = (answer[0].cpu() for answer in ear(*batch([patches], [item.degrees(0, starts)], device))[1])
            right += int(scene.argmax()) == item.scene
            step, truth = (starts * HOP_S // STEP_S).astype(int), item.told(starts)
            said += [moods.numpy()[step == index].mean(0) for index in range(4)]
            truths += [truth[step == index].mean(0) for index in range(4)]
    ear.train()
    said, truths = np.array(said), np.array(truths)
    valence, arousal = (np.corrcoef(said[:, axis], truths[:, axis])[0, 1] for axis in (0, 1))
    return f"valence {valence:.2f}, arousal {arousal:.2f}" + (f", scene {right} of {len(items)}" if scenes else "")


def batch(patches, degrees, device="cpu"):
    """What an ear takes of several clips."""
    given = [patches] if degrees[0] is None else [patches, degrees]
    return [torch.from_numpy(np.stack(values)).to(device) for values in given]


def drawn(stocks, count, generator, disguise, traces):
    """`count` clips, as many of each stock."""
    parts = [stock.draw(count // len(stocks), generator, disguise, traces) for stock in stocks]
    join = lambda name: None if getattr(parts[0], name) is None else torch.cat([getattr(part, name) for part in parts])
    return clips.Clips(join("patches"), join("degrees"), join("moods"), join("scenes"))


def teach(side, ear, lesson, stocks, traces, seed, steps, count=24, rate=5e-4):
    """The ear taught `steps` times by `count` clips of the stocks, `traces` of another one left in them."""
    torch.manual_seed(seed)
    device, ear = stocks[0].device, copy.deepcopy(ear).to(stocks[0].device).train()
    ear.vggish.dropout = lesson.dropout
    generator = torch.Generator(device).manual_seed(seed)
    average = torch.optim.swa_utils.AveragedModel(ear, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(lesson.average))
    optimiser = torch.optim.AdamW(ear.parameters(), rate, weight_decay=lesson.decay, fused=device.type == "cuda")
    begin, sums = time.monotonic(), torch.zeros(3, device=device)
    for step in range(steps):
        clip = drawn(stocks, count, generator, lesson.disguise, traces)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            (alone, _), (context, scene) = ear(clip.patches, clip.degrees)
        parts = [nn.functional.mse_loss(alone.float(), clip.moods), nn.functional.mse_loss(context.float(), clip.moods)]
        # Which scene it is only words could say: the voice's ear is to keep out of it.
        parts.append(nn.functional.cross_entropy(scene.float(), clip.scenes, label_smoothing=0.05) if side == "bgm" else scene.float().square().mean())
        loss = sum(parts[:2]) + SCENE_WEIGHT * parts[2]
        optimiser.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * step / steps)) + 1e-6
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(ear.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(ear)
        sums += torch.stack(parts).detach()
        if (step + 1) % REPORT_EVERY == 0:
            print(f"{side} step {step + 1} errors {(sums / REPORT_EVERY).cpu().numpy().round(3)}, {time.monotonic() - begin:.0f} s", flush=True)
            sums.zero_()
    return average.module.cpu().state_dict()


def before(work, pack, side):
    """The ear to begin with: the VGGish that listen.py left or, where it has not run, the pack's with its self-attention."""
    ear, path = Ear(side), work / "vggish.pt"
    if path.exists():
        ear.vggish.load_state_dict(torch.load(path, weights_only=True), strict=False)
        return ear
    known = lambda name: {name: tensor.float() for name, tensor in load_file(pack / f"{name}.safetensors").items()}
    ear.vggish.load_state_dict(known(f"vggish_{side}"), strict=False)
    attention, module = known("mrcmv"), f"sa_{side}."
    ear.attention.load_state_dict({name.removeprefix(module): tensor for name, tensor in attention.items() if name.startswith(module)})
    return ear


def train(work, program, pack, seed, steps, threads=1, sides=SIDES):
    """The ears on the corpora in `work`, `steps` a lesson, on a GPU if there is one."""
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for split in ("train", "val"):
        stems.listen_to(work / "arena", work / "mel", split, program, pack)
    stems.listen_to(work / MORE, work / "mel" / MORE, "train", program, pack, KINDS[:1])
    items, held = (stems.bank(work / "arena", work / "mel", split) for split in ("train", "val"))
    for (side, kind), more in stems.bank(work / MORE, work / "mel" / MORE, "train", KINDS[:1]).items():
        items[side, kind] += more
    for side in sides:
        stocks = {kind: clips.Stock(items[side, kind], device) for kind in KINDS if any(kind in lesson.kinds for lesson in LESSONS[side])}
        traces = clips.Stock(items["bgm", "clean"], device) if side == "voice" else None
        torch.manual_seed(seed)
        ear = before(work, pack, side)
        after = [teach(side, ear, lesson, [stocks[kind] for kind in lesson.kinds], traces, seed, int(steps * lesson.longer))
                 for lesson in LESSONS[side]]
        ear.load_state_dict({name: sum(weights[name] for weights in after) / len(after) for name in after[0]})
        torch.save(ear.state_dict(), work / f"ear_{side}.pt")
        line = f"{side} ear: what {len(held[side, 'clean'])} unheard items tell, in steps of 8 s: {report(ear, held, side)}"
        (work / f"ear_{side}.md").write_text(line + "\n")
        print(line, flush=True)


def taught(work, side):
    """The ear of a side as `train` left it, or None."""
    path = work / f"ear_{side}.pt"
    if not path.exists():
        return None
    ear = Ear(side)
    ear.load_state_dict(torch.load(path, weights_only=True))
    return ear.eval()
