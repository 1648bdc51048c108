"""PyTorch twin of the losses (eq. 5-7) and of the trainer's first steps.

Writes training_losses.safetensors beside itself; tests/training/twin.rs reads it.
Needs torch and safetensors:  python training_losses.py
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(3)
OUT = {}

# Identities of a batch: pairs 1 and 4 share their video, pairs 2 and 5 their BGM.
VIDEOS = [0, 1, 2, 3, 1, 4]
BGMS = [0, 1, 2, 3, 4, 2]
LABELS = [0, 2, 3, 4, 1, 5]
CLASSES = 7
LAMBDA = 0.1
B = len(VIDEOS)


def loss_1(joint, bgm, margin):
    """Eq. 6, term by term."""
    total = joint.new_zeros(())
    for i in range(B):
        for k in range(B):
            if VIDEOS[i] != VIDEOS[k] and BGMS[i] != BGMS[k]:
                own = (joint[i] - bgm[i]).pow(2).sum()
                other = (joint[i] - bgm[k]).pow(2).sum()
                total = total + torch.clamp(own - other + margin, min=0)
    return total


def loss_2(joint, bgm, w_joint, w_bgm):
    """Eq. 7, term by term, the third with the negative's own label."""
    p_joint = F.log_softmax(joint @ w_joint, dim=1)
    p_bgm = F.log_softmax(bgm @ w_bgm, dim=1)
    total = joint.new_zeros(())
    for i in range(B):
        for k in range(B):
            if VIDEOS[i] != VIDEOS[k] and BGMS[i] != BGMS[k]:
                total = total - p_joint[i, LABELS[i]] - p_bgm[i, LABELS[i]] - p_bgm[k, LABELS[k]]
    return total


# The losses and their gradients, at a margin that some triplets keep and others miss.
D_E = 24
MARGIN = 30.0
joint = (F.normalize(torch.randn(B, D_E), dim=1) * math.sqrt(D_E)).requires_grad_()
bgm = F.normalize(0.7 * joint.detach() + torch.randn(B, D_E), dim=1).mul(math.sqrt(D_E)).requires_grad_()
w_joint = (torch.randn(D_E, CLASSES) / math.sqrt(D_E)).requires_grad_()
w_bgm = (torch.randn(D_E, CLASSES) / math.sqrt(D_E)).requires_grad_()
one = loss_1(joint, bgm, MARGIN)
two = loss_2(joint, bgm, w_joint, w_bgm)
(one + LAMBDA * two).backward()
OUT |= {
    "losses.joint": joint.detach(),
    "losses.bgm": bgm.detach(),
    "losses.w_joint": w_joint.detach(),
    "losses.w_bgm": w_bgm.detach(),
    "losses.values": torch.stack([one, two]).detach(),
    "losses.grad.joint": joint.grad,
    "losses.grad.bgm": bgm.grad,
    "losses.grad.w_joint": w_joint.grad,
    "losses.grad.w_bgm": w_bgm.grad,
}



def contrastive(joint, bgm, temperature):
    """InfoNCE in both directions, row by row, over each pair and its negatives alone."""
    cosines = F.normalize(joint, dim=1) @ F.normalize(bgm, dim=1).T / temperature
    total = joint.new_zeros(())
    for i in range(B):
        taken = [k for k in range(B) if k == i or (VIDEOS[i] != VIDEOS[k] and BGMS[i] != BGMS[k])]
        for logits in [cosines[i], cosines[:, i]]:
            total = total + torch.logsumexp(logits[taken], dim=0) - logits[i]
    return total / (2 * B)


triplets = sum(VIDEOS[i] != VIDEOS[k] and BGMS[i] != BGMS[k] for i in range(B) for k in range(B))
leaves = [tensor.detach().clone().requires_grad_() for tensor in (joint, bgm, w_joint, w_bgm)]
value = contrastive(leaves[0], leaves[1], 0.07) + LAMBDA / triplets * loss_2(*leaves)
value.backward()
OUT |= {"contrastive.value": value.detach()} | {
    f"contrastive.grad.{name}": leaf.grad for name, leaf in zip(("joint", "bgm", "w_joint", "w_bgm"), leaves)
}

# Three steps of the whole: features -> SA, CMA, gate, embeddings -> losses -> SGD with momentum.
D, HEADS, STEPS, ROWS, SLOW, FAST, RATE = 16, 4, 8, 72, 12, 6, 2e-5


def linear(out_dim, in_dim):
    bound = 1 / math.sqrt(in_dim)
    return torch.empty(out_dim, in_dim).uniform_(-bound, bound)


P = {}
for attention in ["sa_video", "sa_voice", "sa_bgm", "cma_video", "cma_voice"]:
    for w in ["wq", "wk", "wv", "wo"]:
        P[f"{attention}.{w}.weight"] = linear(D, D)
for layer, (o, i) in {
    "video_fc": (D, FAST + SLOW),
    "gate": (2 * D, 2 * D),
    "query_fc": (D_E, STEPS * D),
    "bgm_fc": (D_E, STEPS * D),
}.items():
    P[f"{layer}.weight"] = linear(o, i)
    P[f"{layer}.bias"] = torch.empty(o).uniform_(-1, 1) / math.sqrt(i)
P["classifier.joint"] = linear(D_E, CLASSES) / 2
P["classifier.bgm"] = linear(D_E, CLASSES) / 2
OUT |= {f"start.{name}": value.clone() for name, value in P.items()}
P = {name: value.requires_grad_() for name, value in P.items()}


def attend(name, a, b):
    """Eq. 1-2."""

    def heads(x, w):
        return (x @ P[f"{name}.{w}.weight"].T).reshape(x.shape[0], x.shape[1], HEADS, -1).transpose(1, 2)

    q, k, v = heads(a, "wq"), heads(b, "wk"), heads(b, "wv")
    o = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(D // HEADS), dim=-1) @ v
    return a + o.transpose(1, 2).reshape(a.shape) @ P[f"{name}.wo.weight"].T


def layer(name, x):
    return x @ P[f"{name}.weight"].T + P[f"{name}.bias"]


def pool(x):
    return x.reshape(x.shape[0], STEPS, -1, x.shape[2]).mean(2)


def embed(x):
    return F.normalize(x, dim=1) * math.sqrt(D_E)


def forward(slow, fast, voice, music):
    f = layer("video_fc", torch.cat([pool(fast), slow], dim=2))
    f, s = attend("sa_video", f, f), attend("sa_voice", voice, voice)
    f, s = attend("cma_video", f, s), attend("cma_voice", s, f)
    s = pool(s)
    g = torch.relu(layer("gate", torch.cat([f, s], dim=2)))
    h = g[:, :, :D] * f + g[:, :, D:] * s
    m = pool(attend("sa_bgm", music, music))
    return embed(layer("query_fc", h.flatten(1))), embed(layer("bgm_fc", m.flatten(1)))


slow, fast = torch.randn(B, STEPS, SLOW), torch.randn(B, 64, FAST)
voice, music = torch.randn(B, ROWS, D), torch.randn(B, ROWS, D)
OUT |= {"input.slow": slow, "input.fast": fast, "input.voice": voice, "input.music": music}
optimizer = torch.optim.SGD(P.values(), lr=RATE, momentum=0.9)
losses = []
for step in range(3):
    joint, bgm = forward(slow, fast, voice, music)
    if step == 0:
        OUT |= {"first.joint": joint.detach(), "first.bgm": bgm.detach()}
    loss = loss_1(joint, bgm, MARGIN) + LAMBDA * loss_2(joint, bgm, P["classifier.joint"], P["classifier.bgm"])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.detach())
OUT["steps.losses"] = torch.stack(losses)
OUT |= {f"end.{name}": value.detach() for name, value in P.items()}
change = max((OUT[f"end.{name}"] - OUT[f"start.{name}"]).abs().max().item() for name in P)
print("losses", [round(x.item(), 4) for x in losses], "largest change of a weight", change)

save_file({name: value.contiguous() for name, value in OUT.items()}, Path(__file__).with_suffix(".safetensors"))
