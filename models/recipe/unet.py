"""Spleeter's U-net in PyTorch, with its parameters' way to TensorFlow's names and layouts.

Reference: deezer/spleeter 2.4.2, `spleeter/model/functions/unet.py`. Filters 16..512 times `width`; 5 x 5 convolutions of stride 2 with
TensorFlow's "same" padding (1 before, 2 after); the skip is the raw convolution output; batch norm (epsilon 1e-3) and LeakyReLU 0.2
lead to the next convolution; the decoder goes deconvolution, ReLU, batch norm; the last layer is a dilated 4 x 4 sigmoid mask.
"""

import torch
from torch import nn
from torch.nn import functional

FILTERS = [16, 32, 64, 128, 256, 512]
STEMS = ["voice", "bgm"]


class UNet(nn.Module):
    """Magnitude [B, 2, frames, bins] (both multiples of 64) to mask times magnitude, the same shape."""

    def __init__(self, width=0.25):
        super().__init__()
        widths = [max(1, round(count * width)) for count in FILTERS]
        norm = lambda count: nn.BatchNorm2d(count, eps=1e-3, momentum=0.03)
        self.encoder = nn.ModuleList(nn.Conv2d(before, after, 5, stride=2) for before, after in zip([2, *widths], widths))
        self.encoder_norm = nn.ModuleList(norm(count) for count in widths)
        outs = [*widths[-2::-1], 1]
        ins = [widths[-1], *[2 * count for count in outs[:-1]]]
        self.decoder = nn.ModuleList(nn.ConvTranspose2d(before, after, 5, stride=2) for before, after in zip(ins, outs))
        self.decoder_norm = nn.ModuleList(norm(count) for count in outs)
        self.mask = nn.Conv2d(1, 2, 4, dilation=2, padding=3)
        for layer in [*self.encoder, *self.decoder, self.mask]:
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, magnitude, dropout=0.5):
        skips, x = [], magnitude
        for index, (layer, norm) in enumerate(zip(self.encoder, self.encoder_norm)):
            raw = layer(functional.pad(x, (1, 2, 1, 2)))
            skips.append(raw)
            if index < 5:
                x = functional.leaky_relu(norm(raw), 0.2)
        x = skips.pop()
        for index, (layer, norm) in enumerate(zip(self.decoder, self.decoder_norm)):
            height, width = 2 * x.shape[2], 2 * x.shape[3]
            x = layer(x)[:, :, 1: height + 1, 1: width + 1]
            x = norm(functional.relu(x))
            if index < 3 and self.training:
                x = functional.dropout(x, dropout)
            if skips:
                x = torch.cat([skips.pop(), x], 1)
        return torch.sigmoid(self.mask(x).float()) * magnitude


def to_tensorflow(nets):
    """{TensorFlow name with '.' for '/': array} of the two U-nets (voice, bgm)."""
    out = {}
    suffix = lambda base, number: base if number == 0 else f"{base}_{number}"
    for stem, net in enumerate(nets):
        for index, layer in enumerate([*net.encoder, net.mask]):
            name = suffix("conv2d", stem * 7 + index)
            out[f"{name}.kernel"] = layer.weight.permute(2, 3, 1, 0)
            out[f"{name}.bias"] = layer.bias
        for index, layer in enumerate(net.decoder):
            name = suffix("conv2d_transpose", stem * 6 + index)
            out[f"{name}.kernel"] = layer.weight.permute(2, 3, 1, 0)
            out[f"{name}.bias"] = layer.bias
        for index, layer in enumerate([*net.encoder_norm, *net.decoder_norm]):
            name = suffix("batch_normalization", stem * 12 + index)
            out |= {f"{name}.gamma": layer.weight, f"{name}.beta": layer.bias, f"{name}.moving_mean": layer.running_mean,
                    f"{name}.moving_variance": layer.running_var}
    return {name: tensor.detach().float().contiguous().clone() for name, tensor in out.items()}
