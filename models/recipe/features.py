"""SlowFast, VGGish and MRCMV's attention at the pack's width, under the names the program reads.

SlowFast follows PyTorchVideo 0.1.5's `create_slowfast` (R50, alpha 8, beta 1/8, fusion kernel 5) without its head; VGGish follows
torchvggish but for the layer for chroma; MRCMV's names are the project's own.
"""

import torch
from torch import nn
from torch.nn import functional

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
SLOWFAST = {"width": 0.25, "depth": 50, "alpha": 8, "beta_inv": 8, "fusion_kernel": 5, "fusion_stride": 8, "crop": 112}
VGGISH = {"width": 0.25, "relu_last": False}
# The BGM's takes the degrees of the scale as well.
VGGISH_OF = {"voice": VGGISH, "bgm": {**VGGISH, "chroma": True}}
MRCMV = {"slow_dim": 512, "fast_dim": 64, "d": 128, "heads": 8, "steps": 8, "d_e": 512, "sa": True, "cma": True, "gate": True,
         "pool": "before_gate", "norm": "sqrt_dim"}


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
    """Log-mel patches [N,1,96,64] and, where it takes that, their chroma [N,12] to [N,128]; flattened in the order height, width, channel."""

    # Share of the values of the wide layers that are left out in training.
    dropout = 0.0

    def __init__(self, width, relu_last, chroma=False):
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
        self.chroma = nn.Linear(12, 128, bias=False) if chroma else None
        if chroma:
            nn.init.zeros_(self.chroma.weight)

    def forward(self, patches, chroma=None):
        rows = self.features(patches).permute(0, 2, 3, 1).flatten(1)
        for layer in self.embeddings:
            rows = layer(rows)
            if isinstance(layer, nn.ReLU):
                rows = functional.dropout(rows, self.dropout, self.training)
        return rows if chroma is None else rows + self.chroma(chroma)


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
