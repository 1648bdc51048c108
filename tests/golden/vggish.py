"""torchvggish's network on reproducible weights.

    pip install --no-deps torchvggish==0.2
    python tests/golden/vggish.py        writes vggish.safetensors beside this file; needs torch and safetensors
"""

import sys
import types
from pathlib import Path

import torch
from noise import load, noise
from safetensors.torch import save_file

# The package imports it for its audio front end, which is not run here.
sys.modules.setdefault("resampy", types.ModuleType("resampy"))
from torchvggish.torchvggish import VGG, make_layers  # noqa: E402


def narrow(width):
    """The same layers with all widths but the last multiplied."""
    model = VGG(make_layers(), postprocess=False)
    inputs = 1
    for i, layer in enumerate(model.features):
        if isinstance(layer, torch.nn.Conv2d):
            outputs = int(layer.out_channels * width)
            model.features[i] = torch.nn.Conv2d(inputs, outputs, 3, padding=1)
            inputs = outputs
    hidden = int(4096 * width)
    model.embeddings[0] = torch.nn.Linear(inputs * 4 * 6, hidden)
    model.embeddings[2] = torch.nn.Linear(hidden, hidden)
    model.embeddings[4] = torch.nn.Linear(hidden, 128)
    return model


@torch.no_grad()
def main():
    out = {}
    small = load(narrow(1 / 8))
    x = noise("patches", (3, 1, 96, 64)) * 4
    out["relu_last"] = small(x)
    seen = x
    for i, layer in enumerate(small.features):
        seen = layer(seen)
        if isinstance(layer, torch.nn.MaxPool2d):
            out[f"features.{i}"] = seen.mean((2, 3))
    small.embeddings = small.embeddings[:-1]
    out["original"] = small(x)
    full = load(VGG(make_layers(), postprocess=False))
    full.embeddings = full.embeddings[:-1]
    out["full"] = full(x[:2])
    out = {name: tensor.contiguous() for name, tensor in out.items()}
    save_file(out, Path(__file__).with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
