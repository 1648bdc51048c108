"""One batch through SlowFast, two VGGish and MRCMV to the loss, and the gradient of every parameter, in double precision.

    python tests/golden/end_to_end.py    writes end_to_end.safetensors beside this file; needs what slowfast.py and vggish.py need

Each gradient is stored as its norm and as its product with noise, which no wrong gradient has by chance.
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from mrcmv import bgm, query, shapes
from noise import noise, values, weights
from safetensors.torch import save_file
from slowfast import build
from vggish import narrow

B, SIDE, D_E, CLASSES = 3, 32, 24, 5
LABELS, MARGIN, LAMBDA = [0, 2, 4], 30.0, 0.1
SLOW = [int(63 * i / 7) for i in range(8)]
HEADS = dict(slow_dim=256, fast_dim=32, d=128, heads=8, d_e=D_E, sa=True, cma=True, gate=True)
HEADS |= dict(pool="before_gate", norm="sqrt_dim")

modules = {"slowfast": build(width=1 / 8), "vggish_voice": narrow(1 / 16), "vggish_bgm": narrow(1 / 16)}
P = {}
for name, module in modules.items():
    if name.startswith("vggish"):
        module.embeddings = module.embeddings[:-1]
    names = {f"{name}.{key}": value.shape for key, value in module.state_dict().items()}
    made = weights(names)
    module.load_state_dict({key[len(name) + 1 :]: value for key, value in made.items()}, strict=False)
    module.double().eval()
    P |= {f"{name}.{key}": parameter for key, parameter in module.named_parameters()}
w = {name: tensor.double().requires_grad_() for name, tensor in weights(shapes(HEADS)).items()}
for name in ["classifier.joint", "classifier.bgm"]:
    w[name] = (noise(name, (D_E, CLASSES)).double() / math.sqrt(D_E)).requires_grad_()
P |= w

slow, fast, voices, music = [], [], [], []
for item in range(B):
    frames = torch.from_numpy(((values(f"frames {item}", (3, 64, SIDE, SIDE)) + 1) * 127.5).astype("uint8"))
    x = ((frames.double() / 255 - 0.45) / 0.225).unsqueeze(0)
    s, f = modules["slowfast"].blocks[0:5][0]([x[:, :, SLOW], x]), None
    for block in modules["slowfast"].blocks[1:5]:
        s = block(s)
    rows = [pathway.mean((3, 4)).transpose(1, 2) for pathway in s]
    slow.append(rows[0])
    fast.append(rows[1])
    patches = [noise(f"{what} {item}", (8, 1, 96, 64)).double() for what in ["voice", "music"]]
    voices.append(modules["vggish_voice"](patches[0]).unsqueeze(0))
    music.append(modules["vggish_bgm"](patches[1]).unsqueeze(0))
# The last query has no picture, and the second no voice.
picture_here, voice_here = torch.tensor([1.0, 1.0, 0.0]).double(), torch.tensor([1.0, 0.0, 1.0]).double()
slow, fast, voices, music = (torch.cat(rows) for rows in [slow, fast, voices, music])
joint, _ = query(w, HEADS, slow, fast, voices, picture_here=picture_here, voice_here=voice_here)
tracks = bgm(w, HEADS, music)
loss = joint.new_zeros(())
p_joint = F.log_softmax(joint @ w["classifier.joint"], dim=1)
p_bgm = F.log_softmax(tracks @ w["classifier.bgm"], dim=1)
for i in range(B):
    for k in range(B):
        if i != k:
            own, other = (joint[i] - tracks[i]).pow(2).sum(), (joint[i] - tracks[k]).pow(2).sum()
            semantic = p_joint[i, LABELS[i]] + p_bgm[i, LABELS[i]] + p_bgm[k, LABELS[k]]
            loss = loss + torch.clamp(own - other + MARGIN, min=0) - LAMBDA * semantic
loss.backward()
OUT = {"loss": loss.detach().reshape(1), "joint": joint.detach(), "bgm": tracks.detach()}
for name, parameter in P.items():
    gradient = parameter.grad
    if gradient is not None:
        probe = noise(f"probe {name}", gradient.shape).double()
        OUT[f"gradient.{name}"] = torch.stack([gradient.norm(), (gradient * probe).sum()])
print("loss", loss.item(), "gradients", sum(name.startswith("gradient") for name in OUT))
save_file({name: value.float().contiguous() for name, value in OUT.items()}, Path(__file__).with_suffix(".safetensors"))
