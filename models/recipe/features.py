"""SlowFast, VGGish and MRCMV at the pack's width: seeded first weights under the names the program reads.

SlowFast follows PyTorchVideo 0.1.5's `create_slowfast` (R50, alpha 8, beta 1/8, fusion kernel 5) without its head; VGGish follows
torchvggish; MRCMV's names are the project's own.
"""

import torch
from torch import nn
from torch.nn import functional

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
SLOWFAST = {"width": 0.25, "depth": 50, "alpha": 8, "beta_inv": 8, "fusion_kernel": 5, "fusion_stride": 8, "crop": 112}
VGGISH = {"width": 0.25, "relu_last": False}
MRCMV = {"slow_dim": 512, "fast_dim": 64, "d": 128, "heads": 8, "steps": 8, "d_e": 512, "sa": True, "cma": True, "gate": True,
         "pool": "before_gate", "norm": "sqrt_dim"}
# Length of the vector that all first embeddings have in common.
COMMON = 5.0


class Bottleneck(nn.Module):
    def __init__(self, before, inner, after, temporal, stride):
        super().__init__()
        self.conv_a = nn.Conv3d(before, inner, (temporal, 1, 1), padding=(temporal // 2, 0, 0), bias=False)
        self.norm_a = nn.BatchNorm3d(inner)
        self.conv_b = nn.Conv3d(inner, inner, (1, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1), bias=False)
        self.norm_b = nn.BatchNorm3d(inner)
        self.conv_c = nn.Conv3d(inner, after, 1, bias=False)
        self.norm_c = nn.BatchNorm3d(after)

    def forward(self, x):
        x = functional.relu(self.norm_a(self.conv_a(x)))
        x = functional.relu(self.norm_b(self.conv_b(x)))
        return self.norm_c(self.conv_c(x))


class Residual(nn.Module):
    def __init__(self, before, inner, after, temporal, stride):
        super().__init__()
        self.branch1_conv = nn.Conv3d(before, after, 1, stride=(1, stride, stride), bias=False) if before != after or stride != 1 else None
        self.branch1_norm = nn.BatchNorm3d(after) if self.branch1_conv is not None else None
        self.branch2 = Bottleneck(before, inner, after, temporal, stride)

    def forward(self, x):
        shortcut = x if self.branch1_conv is None else self.branch1_norm(self.branch1_conv(x))
        return functional.relu(shortcut + self.branch2(x))


class Stage(nn.Module):
    def __init__(self, depth, before, inner, after, temporal, stride):
        super().__init__()
        self.res_blocks = nn.ModuleList(
            Residual(before if index == 0 else after, inner, after, temporal, stride if index == 0 else 1) for index in range(depth))

    def forward(self, x):
        for block in self.res_blocks:
            x = block(x)
        return x


class Stem(nn.Module):
    def __init__(self, after, temporal):
        super().__init__()
        self.conv = nn.Conv3d(3, after, (temporal, 7, 7), stride=(1, 2, 2), padding=(temporal // 2, 3, 3), bias=False)
        self.norm = nn.BatchNorm3d(after)

    def forward(self, x):
        return functional.max_pool3d(functional.relu(self.norm(self.conv(x))), (1, 3, 3), (1, 2, 2), (0, 1, 1))


class Fusion(nn.Module):
    def __init__(self, fast, kernel, stride):
        super().__init__()
        self.conv_fast_to_slow = nn.Conv3d(fast, 2 * fast, (kernel, 1, 1), stride=(stride, 1, 1), padding=(kernel // 2, 0, 0), bias=False)
        self.norm = nn.BatchNorm3d(2 * fast)

    def forward(self, slow, fast):
        return torch.cat([slow, functional.relu(self.norm(self.conv_fast_to_slow(fast)))], 1), fast


class Pathways(nn.Module):
    def __init__(self, blocks, fusion):
        super().__init__()
        self.multipathway_blocks = nn.ModuleList(blocks)
        self.multipathway_fusion = fusion

    def forward(self, slow, fast):
        slow, fast = self.multipathway_blocks[0](slow), self.multipathway_blocks[1](fast)
        return self.multipathway_fusion(slow, fast) if self.multipathway_fusion is not None else (slow, fast)


class SlowFast(nn.Module):
    """Slow [B,3,8,H,W] and fast [B,3,64,H,W] to [B,8,2048 width] and [B,64,256 width]."""

    def __init__(self, width, depth, alpha, beta_inv, fusion_kernel, fusion_stride, crop):
        super().__init__()
        del alpha, crop  # the clip's frame ratio, whose lateral stride is its own field, and the clip's size
        base = round(64 * width)
        fuse = lambda slow: Fusion(slow // beta_inv, fusion_kernel, fusion_stride)
        blocks = [Pathways([Stem(base, 1), Stem(base // beta_inv, 5)], fuse(base))]
        before, after = base, 4 * base
        for index, count in enumerate(DEPTHS[depth]):
            temporal = 1 if index < 2 else 3
            stride = 1 if index == 0 else 2
            slow = Stage(count, before + 2 * before // beta_inv, after // 4, after, temporal, stride)
            fast = Stage(count, before // beta_inv, after // 4 // beta_inv, after // beta_inv, 3, stride)
            blocks.append(Pathways([slow, fast], fuse(after) if index < 3 else None))
            before, after = after, 2 * after
        self.blocks = nn.ModuleList(blocks)
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(layer, Bottleneck):
                nn.init.constant_(layer.norm_c.weight, 0.5)  # keeps the residual sums from growing with depth

    def forward(self, slow, fast):
        for block in self.blocks:
            slow, fast = block(slow, fast)
        return slow.mean((3, 4)).transpose(1, 2), fast.mean((3, 4)).transpose(1, 2)


class Vggish(nn.Module):
    """Log-mel patches [N,1,96,64] to [N,128]; flattened in the order height, width, channel."""

    def __init__(self, width, relu_last):
        super().__init__()
        layers, before = [], 1
        for after in (64, "M", 128, "M", 256, 256, "M", 512, 512, "M"):
            if after == "M":
                layers.append(nn.MaxPool2d(2, 2))
            else:
                count = round(after * width)
                layers += [nn.Conv2d(before, count, 3, padding=1), nn.ReLU()]
                before = count
        wide = round(4096 * width)
        last = [nn.ReLU()] if relu_last else []
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(nn.Linear(before * 24, wide), nn.ReLU(), nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, 128), *last)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def forward(self, patches):
        return self.embeddings(self.features(patches).permute(0, 2, 3, 1).flatten(1))


class Attention(nn.Module):
    """MRCMV's attention (eq. 1 and 2) without its residual: [B, N1, d], [B, N2, d] to [B, N1, d]. It starts shut, as residual branches do."""

    def __init__(self):
        super().__init__()
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(MRCMV["d"], MRCMV["d"], bias=False) for _ in range(4))
        nn.init.zeros_(self.wo.weight)

    def forward(self, i1, i2):
        by_head = lambda rows: rows.unflatten(2, (MRCMV["heads"], -1)).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(by_head(self.wq(i1)), by_head(self.wk(i2)), by_head(self.wv(i2)))
        return self.wo(attended.transpose(1, 2).flatten(2))


def mrcmv_parameters(seed, told, eye=None, ears=None):
    """MRCMV's first weights: they compare what ears and eye tell, which are the first `told` values of a row.

    Both embedding layers turn these values of all steps alike into the embedding and add one and the same vector, so that the angle between
    two embeddings goes by the distance of what is told and not by its direction alone; what else the rows hold counts nothing yet. `ears` are
    the self-attentions as they were taught with the ears, by side; every other attention starts shut and the gate open. `eye` are the first rows of `video_fc` and their biases, as the eye was taught them.
    """
    generator = torch.Generator().manual_seed(seed)
    width, steps, wide = MRCMV["d"], MRCMV["steps"], MRCMV["d_e"]

    def xavier(rows, columns):
        return (torch.rand(rows, columns, generator=generator) * 2 - 1) * (6.0 / (rows + columns)) ** 0.5

    out = {"video_fc.weight": 0.1 * xavier(width, MRCMV["slow_dim"] + MRCMV["fast_dim"]), "video_fc.bias": torch.zeros(width)}
    for module in ("sa_video", "sa_voice", "sa_bgm", "cma_video", "cma_voice"):
        for matrix in ("wq", "wk", "wv"):
            out[f"{module}.{matrix}.weight"] = xavier(width, width)
        out[f"{module}.wo.weight"] = torch.zeros(width, width)
    for side, attention in (ears or {}).items():
        out |= {f"sa_{side}.{name}": tensor.clone() for name, tensor in attention.items()}
    out |= {"gate.weight": torch.zeros(2 * width, 2 * width), "gate.bias": torch.ones(2 * width)}
    if eye is not None:
        weight, bias = eye
        out["video_fc.weight"][: len(weight)], out["video_fc.bias"][: len(bias)] = weight, bias
    turn = torch.linalg.qr(torch.randn(wide, steps * told + 1, generator=generator))[0]
    embed = torch.zeros(wide, steps, width)
    embed[:, :, :told] = turn[:, 1:].unflatten(1, (steps, told))
    for name in ("query_fc", "bgm_fc"):
        out |= {f"{name}.weight": embed.flatten(1).clone(), f"{name}.bias": COMMON * turn[:, 0]}
    for name in ("absent_voice", "absent_video"):
        out[name] = torch.randn(width, generator=generator) * 0.02
    return out
