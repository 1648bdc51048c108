"""PyTorchVideo's SlowFast on reproducible weights: every stage and both pathways' last one, averaged over space.

    pip install fvcore iopath && pip install --no-deps pytorchvideo==0.1.5 torchvision
    python tests/golden/slowfast.py      writes slowfast.safetensors beside this file; needs torch and safetensors
"""

from pathlib import Path

import torch
from noise import load, noise
from pytorchvideo.models.slowfast import create_slowfast
from safetensors.torch import save_file


def build(depth=50, width=1.0, kernel=5):
    """The 4x16 recipe run at 8 slow and 64 fast frames, without pool and head."""
    slow = int(64 * width)
    model = create_slowfast(
        model_depth=depth,
        stem_dim_outs=(slow, slow // 8),
        slowfast_fusion_conv_kernel_size=(kernel, 1, 1),
        slowfast_fusion_conv_stride=(8, 1, 1),
    )
    model.blocks = model.blocks[:5]
    return load(model)


@torch.no_grad()
def main():
    out = {}

    def run(case, model, size, batch=1):
        x = [noise("slow", (batch, 3, 8, size, size)), noise("fast", (batch, 3, 64, size, size))]
        for i, block in enumerate(model.blocks):
            x = block(x)
            # The slow pathway of a stage ends with the channels of its lateral connection.
            for pathway, tensor in zip(["slow", "fast"], x):
                if i == 4 or case == "r50":
                    out[f"{case}.{i}.{pathway}"] = tensor.mean((3, 4)).transpose(1, 2)

    run("r50", build(width=1 / 8), 64, batch=2)
    run("r50_kernel_7", build(width=1 / 8, kernel=7), 32)
    run("r101", build(depth=101, width=1 / 8), 32)
    run("odd", build(width=1 / 8), 45)
    run("full", build(), 32)
    out = {name: tensor.contiguous() for name, tensor in out.items()}
    save_file(out, Path(__file__).with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
