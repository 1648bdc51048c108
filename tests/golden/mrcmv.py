"""A twin of MRCMV, equations (1) to (4) of the paper, and its outputs on reproducible weights.

    python tests/golden/mrcmv.py        writes mrcmv.safetensors beside this file; needs torch and safetensors
"""

from pathlib import Path

import torch
from noise import noise, weights
from safetensors.torch import save_file

B, ROWS, T, ALPHA = 2, 72, 8, 8


def shapes(c):
    """Parameter names and shapes for a config."""
    d = c["d"]
    made = {
        "video_fc.weight": (d, c["fast_dim"] + c["slow_dim"]),
        "video_fc.bias": (d,),
        "gate.weight": (2 * d, 2 * d),
        "gate.bias": (2 * d,),
        "query_fc.weight": (c["d_e"], T * d),
        "query_fc.bias": (c["d_e"],),
        "bgm_fc.weight": (c["d_e"], T * d),
        "bgm_fc.bias": (c["d_e"],),
        "absent_voice": (d,),
        "absent_video": (d,),
    }
    for module in ["sa_video", "sa_voice", "sa_bgm", "cma_video", "cma_voice"]:
        for matrix in ["wq", "wk", "wv", "wo"]:
            made[f"{module}.{matrix}.weight"] = (d, d)
    return made


def chi(w, module, i1, i2, heads, see):
    """Eq. 1 and 2. Each W_i is a slice of the stacked matrix; a matrix is stored transposed, as in Linear."""
    d = i1.shape[-1]
    dk = d // heads
    outputs = []
    for i in range(heads):
        rows = slice(i * dk, (i + 1) * dk)
        wq = w[f"{module}.wq.weight"][rows].T
        wk = w[f"{module}.wk.weight"][rows].T
        wv = w[f"{module}.wv.weight"][rows].T
        scores = (i1 @ wq) @ (i2 @ wk).transpose(1, 2) / dk**0.5
        outputs.append(torch.softmax(scores, dim=-1) @ (i2 @ wv))
    see(f"{module}.heads", torch.stack(outputs, 1))
    given = i1 + torch.cat(outputs, -1) @ w[f"{module}.wo.weight"].T
    see(module, given)
    return given


def average(x, rows):
    """Means of neighbouring rows, down to `rows`."""
    b, n, d = x.shape
    return x.reshape(b, rows, n // rows, d).mean(2)


def normalise(e, how):
    if how == "none":
        return e
    unit = e / e.norm(dim=-1, keepdim=True)
    return unit if how == "unit" else unit * e.shape[-1] ** 0.5


def nobody(name, tensor):
    """Sees the stages and keeps none."""


def query(w, c, slow, fast, voice, balance=0.0, picture_here=None, voice_here=None, see=nobody):
    """Section 3.1; a modality that is not here is rows of a learned token."""
    f = torch.cat([average(fast, T), slow], -1) @ w["video_fc.weight"].T + w["video_fc.bias"]
    see("video_fc", f)
    s = voice
    if picture_here is not None:
        m = picture_here.reshape(-1, 1, 1)
        f = f * m + w["absent_video"] * (1 - m)
    if voice_here is not None:
        m = voice_here.reshape(-1, 1, 1)
        s = s * m + w["absent_voice"] * (1 - m)
    if c["pool"] == "before_sa":
        s = average(s, T)
    if c["sa"]:
        f, s = chi(w, "sa_video", f, f, c["heads"], see), chi(w, "sa_voice", s, s, c["heads"], see)
    if c["cma"]:
        f, s = chi(w, "cma_video", f, s, c["heads"], see), chi(w, "cma_voice", s, f, c["heads"], see)
    s = average(s, T)
    if c["gate"]:
        g = torch.relu(torch.cat([f, s], -1) @ w["gate.weight"].T + w["gate.bias"])
        see("gate", g)
        f, s = g[..., : c["d"]] * f, g[..., c["d"] :] * s
    f, s = f * min(1, 1 - balance), s * min(1, 1 + balance)
    # The share of what is not here is nothing, whatever its token adds.
    norms = [
        x.detach().flatten(1).norm(dim=1) * (1 if here is None else here)
        for x, here in [(f, picture_here), (s, voice_here)]
    ]
    share = norms[1] / (norms[0] + norms[1])
    e = (f + s).flatten(1) @ w["query_fc.weight"].T + w["query_fc.bias"]
    return normalise(e, c["norm"]), share


def bgm(w, c, m, see=nobody):
    """Section 3.2."""
    if c["pool"] == "before_sa":
        m = average(m, T)
    if c["sa"]:
        m = chi(w, "sa_bgm", m, m, c["heads"], see)
    e = average(m, T).flatten(1) @ w["bgm_fc.weight"].T + w["bgm_fc.bias"]
    return normalise(e, c["norm"])


def inputs(c):
    return {
        "slow": noise("slow", (B, T, c["slow_dim"])),
        "fast": noise("fast", (B, T * ALPHA, c["fast_dim"])),
        "voice": noise("voice", (B, ROWS, c["d"])),
        "bgm": noise("bgm", (B, ROWS, c["d"])),
    }


def main():
    small = dict(slow_dim=24, fast_dim=6, d=16, heads=4, d_e=20, sa=True, cma=True, gate=True)
    small |= dict(pool="before_gate", norm="sqrt_dim")
    full = small | dict(slow_dim=2048, fast_dim=256, d=128, heads=8, d_e=512)
    out = {}

    def run(case, c, **options):
        def see(name, tensor):
            if case == "small":
                out[f"{case}.{name}"] = tensor

        w, x = weights(shapes(c)), inputs(c)
        e, share = query(w, c, x["slow"], x["fast"], x["voice"], see=see, **options)
        out[f"{case}.query"], out[f"{case}.share"] = e, share
        out[f"{case}.bgm"] = bgm(w, c, x["bgm"], see=see)

    run("small", small)
    run("full", full)
    run("no_sa", small | dict(sa=False))
    run("no_cma", small | dict(cma=False))
    run("no_gate", small | dict(gate=False))
    run("before_sa", small | dict(pool="before_sa"))
    run("unit", small | dict(norm="unit"))
    run("none", small | dict(norm="none"))
    for name, balance in [("picture_only", -1.0), ("toward_picture", -0.5), ("toward_voice", 0.25), ("voice_only", 1.0)]:
        run(name, small, balance=balance)
    run("no_voice", small, voice_here=torch.zeros(B))
    run("no_picture", small, picture_here=torch.zeros(B))
    run("dropout", small, voice_here=torch.tensor([0.0, 1.0]), picture_here=torch.tensor([1.0, 0.0]))

    w = {name: tensor.requires_grad_() for name, tensor in weights(shapes(small)).items()}
    x = inputs(small)
    e, _ = query(
        w, small, x["slow"], x["fast"], x["voice"], voice_here=torch.tensor([0.0, 1.0]), picture_here=torch.tensor([1.0, 0.0])
    )
    m = bgm(w, small, x["bgm"])
    ((e * noise("towards_query", e.shape)).sum() + (m * noise("towards_bgm", m.shape)).sum()).backward()
    for name, tensor in w.items():
        out[f"gradient.{name}"] = tensor.grad

    out = {name: tensor.detach().contiguous() for name, tensor in out.items()}
    save_file(out, Path(__file__).with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
