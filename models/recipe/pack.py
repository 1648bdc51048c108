"""Writes models/compact: pack.json and the safetensors files it names, each with its sha256.

What the work folder does not hold stays as the pack has it, where that says that it was trained; else it is seeded.
"""

import hashlib
import json
import subprocess

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import features
import first
import hear
import stems
import unet
from provenance import FINISHED, FRESH, LISTENED, SEEDED, SEEN, TAUGHT, TRAINED, said

def clips(video, count, generator):
    """`count` clips of 64 fast frames [1,3,64,112,112] from the demo's picture, each cropped, mirrored and tinted its own way."""
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", str(video), "-t", "32", "-vf", "fps=2,scale=228:128", "-f", "rawvideo",
                          "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    frames = torch.from_numpy(np.frombuffer(raw, np.uint8).reshape(-1, 128, 228, 3).copy()).float().div(255)[:64]
    for _ in range(count):
        top, left = (int(torch.randint(0, room, (1,), generator=generator)) for room in (16, 116))
        clip = frames[:, top: top + 112, left: left + 112].permute(3, 0, 1, 2)
        clip = clip.flip(3) if torch.rand(1, generator=generator) < 0.5 else clip
        tint = 0.6 + 0.8 * torch.rand(3, 1, 1, 1, generator=generator)
        yield ((clip * tint).clamp(0, 1)[None] - 0.45) / 0.225


def slowfast_parameters(target, video, work, seed):
    """Weights of the eye if it was taught, here or in the pack, else seeded ones whose batch norms saw the demo's picture."""
    if (work / "eye.pt").exists():
        own = first.eye_of(work).slowfast.state_dict()
        return {name: tensor for name, tensor in own.items() if not name.endswith("num_batches_tracked")}
    if SEEN in said(target):
        return load_file(target / "slowfast.safetensors")
    torch.manual_seed(seed)
    net = features.SlowFast(**features.SLOWFAST).train()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm3d):
            layer.momentum = None  # a plain average over the clips
    pick = torch.linspace(0, 63, 8).long()
    with torch.no_grad():
        for fast in clips(video, 4, torch.Generator().manual_seed(seed)):
            slow, quick = net(fast[:, :, pick], fast)
    print(f"slowfast: slow {slow.mean():.2f} +- {slow.std():.2f}, fast {quick.mean():.2f} +- {quick.std():.2f}")
    return {name: tensor for name, tensor in net.state_dict().items() if not name.endswith("num_batches_tracked")}


def vggish_parameters(target, work, seed, side):
    """Weights of the ear of a side if it was taught, here or in the pack, else of the auxiliary training if it has run, else seeded ones."""
    ear = hear.taught(work, side)
    if ear is not None:
        return ear.vggish.state_dict()
    if TAUGHT in said(target):
        return load_file(target / f"vggish_{side}.safetensors")
    path = work / "vggish.pt"
    if path.exists():
        return torch.load(path, weights_only=True)
    torch.manual_seed(seed)
    return features.Vggish(**features.VGGISH_OF[side]).state_dict()


def hearing(parameters):
    """The config of a VGGish."""
    return features.VGGISH | ({"chroma": True} if "chroma.weight" in parameters else {})


def taught_whole(work):
    """Whether ears and eye were taught here, which the first weights of MRCMV are made from."""
    return all((work / name).exists() for name in ("ear_voice.pt", "ear_bgm.pt", "eye.pt"))


def mrcmv_parameters(target, work, seed):
    """MRCMV's first weights from what ears and eye were taught; else the pack's own."""
    return first.parameters(work, seed) if taught_whole(work) else load_file(target / "mrcmv.safetensors")


def separator_parameters(target, work, seed):
    """The separator if it was trained, here or in the pack, else seeded weights."""
    path = work / "separator.pt"
    if not path.exists() and TRAINED in said(target):
        return load_file(target / "spleeter.safetensors")
    nets = []
    for index, stem in enumerate(unet.STEMS):
        torch.manual_seed(seed + index)
        net = unet.UNet(0.25)
        if path.exists():
            net.load_state_dict(torch.load(path, weights_only=True)["average"][stem])
        nets.append(net)
    return unet.to_tensorflow(nets)


def make(target, work, seed):
    target.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    demo = target.parent.parent / "assets" / "demo" / "arena_clip.webm"
    half = lambda tensors: {name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}
    files = {
        "spleeter.safetensors": half(separator_parameters(target, work, seed)),
        "slowfast.safetensors": half(slowfast_parameters(target, demo, work, seed)),
        "vggish_voice.safetensors": half(vggish_parameters(target, work, seed, "voice")),
        "vggish_bgm.safetensors": half(vggish_parameters(target, work, seed, "bgm")),
        "mrcmv.safetensors": half(mrcmv_parameters(target, work, seed)),
    }
    digests = {}
    for name, tensors in files.items():
        if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
            raise RuntimeError(f"{name} holds a value that is not finite")
        save_file(tensors, target / name)
        (target / name).chmod(0o644)
        digests[name] = hashlib.sha256((target / name).read_bytes()).hexdigest()
        print(name, sum(tensor.numel() for tensor in tensors.values()), "values", (target / name).stat().st_size, "bytes")
    configs = {"spleeter": ({"width": 0.25, "stems": unet.STEMS}, "spleeter"), "slowfast": (features.SLOWFAST, "slowfast"),
               **{f"vggish_{side}": (hearing(files[f"vggish_{side}.safetensors"]), f"vggish_{side}") for side in stems.SIDES},
               "mrcmv": (features.MRCMV, "mrcmv")}
    networks = {network: {"config": config, "file": f"{file}.safetensors", "sha256": digests[f"{file}.safetensors"]}
                for network, (config, file) in configs.items()}
    before = said(target)
    is_said = lambda sentence, made: sentence in before or (work / made).exists()
    trained = TRAINED if is_said(TRAINED, "separator.pt") else "The separator is seeded, not yet trained."
    heard = LISTENED if is_said(LISTENED, "vggish.pt") else "VGGish is seeded, not yet trained."
    taught = f" {TAUGHT}" if is_said(TAUGHT, "ear_voice.pt") else ""
    seen = SEEN if is_said(SEEN, "eye.pt") else SEEDED
    heads = FINISHED if FINISHED in before and not taught_whole(work) else FRESH
    provenance = f"Made from nothing by models/recipe. {trained} {heard}{taught} {seen} {heads}"
    manifest = {"name": "compact", "version": "0.1.0", "licence": "CC0-1.0", "provenance": provenance, "networks": networks}
    (target / "pack.json").write_text(json.dumps(manifest, indent=1) + "\n")
