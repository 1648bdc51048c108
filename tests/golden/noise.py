"""Reproducible values that tests/golden/mod.rs makes as well, so that no fixture stores weights or inputs."""

import numpy as np


def values(name, shape):
    """Uniform in [-1, 1), in steps of 2^-23: splitmix64 from the FNV-1a hash of the name."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) % 2**64
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    uniform = (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1
    return uniform.astype(np.float32).reshape(shape)


def noise(name, shape):
    """`values` as PyTorch's tensor; TensorFlow's scripts do without PyTorch."""
    import torch

    return torch.from_numpy(values(name, shape))


def weights(module_or_shapes):
    """Parameters by name: fan-in scaled noise, and statistics of batch norm near (0, 1)."""
    items = module_or_shapes
    if hasattr(items, "state_dict"):
        items = {name: tensor.shape for name, tensor in items.state_dict().items()}
    made = {}
    for name, shape in items.items():
        if name.endswith("num_batches_tracked"):
            continue
        value = noise(name, shape).double()
        if name.endswith("running_var"):
            value = value * 0.5 + 1
        elif len(shape) == 1 and name.endswith("weight"):
            value = value * 0.25 + 1
        elif len(shape) == 1:
            value = value * 0.25
        else:
            value = value * float(np.sqrt(6 / np.prod(shape[1:])))
        made[name] = value.float()
    return made


def spleeter_weight(name, shape):
    """A variable of Spleeter's network under TensorFlow's name, as tests/golden/mod.rs makes it."""
    value = values(name, tuple(shape)).astype(np.float64)
    if name.endswith("moving_variance"):
        value = value * 0.5 + 1
    elif name.endswith("gamma"):
        value = value * 0.25 + 1
    elif len(shape) == 1:
        value = value * 0.25
    else:
        inputs = shape[3] if "transpose" in name else shape[2]
        value = value * np.sqrt(6 / (shape[0] * shape[1] * inputs))
    return value.astype(np.float32)


def load(module):
    """Fills a module with `weights` and makes it ready for inference."""
    module.load_state_dict(weights(module), strict=False)
    return module.eval()
