"""Teaches the two VGGish what a mood sounds like: one ear for voices, one for music, on corpora of *arena*.

The first outputs of an ear are what it hears: for each patch of 0.96 s the valence and the arousal that the item's card says for its
moment, and how far it hears each scene, which only music says. They are taught twice, as VGGish gives them and again after MRCMV's
self-attention over the clip's patches, by which a patch is heard against the speaker's or the track's own habit; that attention becomes
the first `sa_voice` and `sa_bgm`. The other outputs are whatever helps it. Level, speaker's size, equaliser, room, noise and a trace of other music
under the voice (as separation leaves it) are drawn afresh for every clip. An ear hears clean stems first, then as many that the pack's
separator cut from a mix with another video's, as it hears them in a query. What the voice's ear gains for arena by that it loses for
voices unlike arena's, so what is kept is a mean of its weights before and after (Wortsman et al., 2022, *Robust fine-tuning of zero-shot
models*): most of both. Only the splits train and val are read, val only to report.

Major or minor VGGish cannot hear, so the music's ear is given the degrees of the scale beside each patch (`chroma.py`). It begins with
what is known of modes: the valence of a track goes by how far its notes are rather those of the major than of the minor key (Eerola et
al., 2013, among others).
"""

import copy
import time

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.signal import lfilter
from torch import nn

import chroma
import features
import listen
import provenance
import stems
from stems import CLIP_S, HOP_S, KINDS, SIDES, STEP_S

PATCHES = 10
SCENE_WEIGHT = 0.4
# How many mel bands higher or lower a speaker or an instrument is heard than it is, standard deviation.
SIZE = 0.3
# How far an ear goes from its weights before separated stems to those after: all the way where real sound loses nothing.
WAY = {"voice": 0.3, "bgm": 1.0}
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


def starts_of(mel, rng):
    """Frames at which a clip of 32 s from a random place on and its patches start."""
    clip = int(CLIP_S / HOP_S)
    first = rng.integers(0, max(1, len(mel) - clip))
    last = min(len(mel), first + clip) - listen.FRAMES
    return first, np.sort(rng.integers(first, max(first + 1, last), PATCHES))


def heard(item, starts, rng, traces=()):
    """Patches [P, 96, 64] as they might be heard: another level, microphone, room and noise, a speaker or instruments of another size, a
    trace of music."""
    linear = lambda mel: np.exp(mel.astype(np.float32)) - listen.OFFSET
    cut = lambda mel, at: np.stack([mel[start: start + listen.FRAMES] for start in at])
    spectra = shifted(linear(cut(item.mel, starts)), rng.normal(0, SIZE))
    level = np.sqrt((spectra ** 2).mean())
    if rng.random() < 0.2:
        decay, part = rng.uniform(0.6, 0.93), rng.uniform(0.05, 0.4)
        spectra = spectra + part * lfilter([0, 1 - decay], [1, -decay], spectra, axis=1).astype(np.float32)
    if traces and rng.random() < 0.7:
        other = traces[rng.integers(len(traces))].mel
        music = linear(cut(other, (starts + rng.integers(len(other))) % (len(other) - listen.FRAMES)))
        spectra = spectra + music * level / (np.sqrt((music ** 2).mean()) + 1e-6) * 10 ** (rng.uniform(-50, -14) / 20)
    if rng.random() < 0.5:
        spectra = spectra + level * 10 ** (rng.uniform(-70, -30) / 20) * np.abs(rng.normal(1, 0.5, spectra.shape))
    curve = np.interp(np.arange(listen.BANDS), np.linspace(0, listen.BANDS, 5), rng.normal(0, 0.25, 5)) + rng.normal(0, 0.6)
    return np.log(np.maximum(spectra * np.exp(curve), 0) + listen.OFFSET).astype(np.float32)


def shifted(spectra, bands):
    """Mel spectra [..., 64] that many bands higher."""
    from_band = np.clip(np.arange(listen.BANDS) - bands, 0, listen.BANDS - 1)
    low = np.minimum(from_band.astype(int), listen.BANDS - 2)
    part = (from_band - low).astype(np.float32)
    return spectra[..., low] * (1 - part) + spectra[..., low + 1] * part


def report(ear, held, side):
    """Per kind of stem the correlations of valence and arousal with what is told, over steps of 8 s, by the mean of the patches' answers in
    context, and for music the share of scenes told rightly."""
    return "; ".join(f"{kind} {answers(ear, held[side, kind], side == 'bgm')}" for kind in KINDS)


def answers(ear, items, scenes):
    said, truths, right = [], [], 0
    ear.eval()
    with torch.no_grad():
        for item in items:
            starts = np.arange(0, min(len(item.mel), int(CLIP_S / HOP_S)) - listen.FRAMES, 43)
            patches = np.stack([item.mel[start: start + listen.FRAMES] for start in starts]).astype(np.float32)
            moods, scene = ear(*batch([patches], [item.degrees(0, starts)]))[1]
            right += int(scene[0].argmax()) == item.scene
            step, truth = (starts * HOP_S // STEP_S).astype(int), item.told(starts)
            said += [moods[0].numpy()[step == index].mean(0) for index in range(4)]
            truths += [truth[step == index].mean(0) for index in range(4)]
    ear.train()
    said, truths = np.array(said), np.array(truths)
    valence, arousal = (np.corrcoef(said[:, axis], truths[:, axis])[0, 1] for axis in (0, 1))
    return f"valence {valence:.2f}, arousal {arousal:.2f}" + (f", scene {right} of {len(items)}" if scenes else "")


def batch(patches, degrees):
    """What an ear takes of several clips."""
    given = [torch.from_numpy(np.stack(patches))]
    return given if degrees[0] is None else [*given, torch.from_numpy(np.stack(degrees))]


def teach(side, ear, kinds, items, held, seed, minutes, clips=24, rate=5e-4):
    """The weights of an ear taught for `minutes` by stems of these kinds."""
    torch.manual_seed(seed)
    rng, ear, own = np.random.default_rng([seed, SIDES.index(side)]), copy.deepcopy(ear), [item for kind in kinds for item in items[side, kind]]
    average = torch.optim.swa_utils.AveragedModel(ear, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    optimiser = torch.optim.AdamW(ear.parameters(), rate, weight_decay=0.05)
    traces = items["bgm", "clean"] if side == "voice" else ()
    begin, step, sums = time.monotonic(), 0, np.zeros(3)
    while (part := (time.monotonic() - begin) / 60 / minutes) < 1:
        chosen = [own[index] for index in rng.integers(0, len(own), clips)]
        starts = [starts_of(item.mel, rng) for item in chosen]
        given = batch([heard(item, at, rng, traces) for item, (_, at) in zip(chosen, starts)],
                      [item.degrees(first, at) for item, (first, at) in zip(chosen, starts)])
        truth = torch.from_numpy(np.stack([item.told(at) for item, (_, at) in zip(chosen, starts)]))
        (alone, _), (context, scene) = ear(*given)
        parts = [nn.functional.mse_loss(alone, truth), nn.functional.mse_loss(context, truth)]
        scenes = torch.tensor([item.scene for item in chosen])
        # Which scene it is only words could say: the voice's ear is to keep out of it.
        parts.append(nn.functional.cross_entropy(scene, scenes, label_smoothing=0.05) if side == "bgm" else scene.square().mean())
        loss = sum(parts[:2]) + SCENE_WEIGHT * parts[2]
        optimiser.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * part)) + 1e-6
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(ear.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(ear)
        sums += [float(value.detach()) for value in parts]
        step += 1
        if step % 100 == 0:
            print(f"{side} step {step} errors {np.round(sums / 100, 3)} held out: {report(average.module, held, side)}, "
                  f"{(time.monotonic() - begin) / 60:.1f} min", flush=True)
            sums[:] = 0
    return average.module.state_dict()


def before(work, pack, side):
    """The ear to begin with and whether it was taught by clean stems: the VGGish that listen.py left or, where it has not run, the pack's."""
    ear, path = Ear(side), work / "vggish.pt"
    if path.exists():
        ear.vggish.load_state_dict(torch.load(path, weights_only=True), strict=False)
        return ear, False
    ear.vggish.load_state_dict({name: tensor.float() for name, tensor in load_file(pack / f"vggish_{side}.safetensors").items()}, strict=False)
    return ear, provenance.TAUGHT in provenance.said(pack)


def train(work, program, pack, seed, minutes, threads=1, sides=SIDES):
    """The ears on the corpus in `work`, by clean stems for `minutes` unless they were already, then as long by both kinds."""
    torch.set_num_threads(threads)
    for split in ("train", "val"):
        stems.listen_to(work / "arena", work / "mel", split, program, pack)
    items, held = (stems.bank(work / "arena", work / "mel", split) for split in ("train", "val"))
    for side in sides:
        torch.manual_seed(seed)
        ear, was_taught = before(work, pack, side)
        if not was_taught:
            ear.load_state_dict(teach(side, ear, KINDS[:1], items, held, seed, minutes))
        after = teach(side, ear, KINDS, items, held, seed, minutes)
        ear.load_state_dict({name: tensor.lerp(after[name], WAY[side]) for name, tensor in ear.state_dict().items()})
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
