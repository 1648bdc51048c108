"""The other implementations of `make bench`; bench/run.py is the conductor, and says what a worker answers.

    python peers.py ENGINE CASE FOLDER DEVICE      ENGINE is torch, onnx, numpy or tensorflow; DEVICE cpu, or cuda for torch

Weights and inputs are made from their names, as for the golden files.
"""

import os
import sys
import time
import types
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
sys.path.insert(0, str(GOLDEN))
from noise import spleeter_weight, values  # noqa: E402

THREADS = int(os.environ.get("UNDERTONE_BENCH_THREADS", os.cpu_count()))

FILTERS = [16, 32, 64, 128, 256, 512]


def torch_case(kind, detail):
    """A module with its inputs and the names of its outputs."""
    import torch
    from noise import load, noise, weights

    if kind == "slowfast":
        from slowfast import build

        blocks = build().blocks

        class Rows(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.blocks = blocks

            def forward(self, slow, fast):
                x = [slow, fast]
                for block in self.blocks:
                    x = block(x)
                return tuple(one.mean((3, 4)).transpose(1, 2) for one in x)

        inputs = noise("slow", (1, 3, 8, 224, 224)), noise("fast", (1, 3, 64, 224, 224))
        return Rows().eval(), inputs, ["slow", "fast"]
    if kind == "vggish":
        from vggish import VGG, make_layers

        model = load(VGG(make_layers(), postprocess=False))
        # The layers without the last ReLU and without the package's own checks.
        features, embeddings = model.features, model.embeddings[:-1]

        class Vggish(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.features, self.embeddings = features, embeddings

            def forward(self, x):
                return self.embeddings(self.features(x).permute(0, 2, 3, 1).flatten(1))

        return Vggish().eval(), (noise("patches", (72, 1, 96, 64)),), ["embedding"]
    if kind == "spleeter":
        return unet(torch, noise), (noise("magnitude", (1, 2, 512, 1024)).abs() * 4,), ["stem"]
    if kind == "layer":
        shape, (outputs,), kernel, (time_stride, stride) = [
            [int(n) for n in part.split(",")] for part in detail.split("-")
        ]
        padding = [size // 2 for size in kernel]
        module = torch.nn.Conv3d(
            shape[1], outputs, kernel, stride=(time_stride, stride, stride), padding=padding, bias=False
        )
        made = weights({"layer.weight": module.weight.shape})["layer.weight"]
        module.load_state_dict({"weight": made})
        x = noise("x", shape)
        if kernel[0] != 1 or time_stride != 1:
            return module.eval(), (x,), ["y"]
        # Frames as a batch, which is the faster way there.
        plane = torch.nn.Conv2d(shape[1], outputs, kernel[1:], stride=stride, padding=padding[1:], bias=False)
        plane.load_state_dict({"weight": made.squeeze(2)})

        class Plane(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.plane = plane

            def forward(self, x):
                return self.plane(x)

        frames = x.transpose(1, 2).reshape(-1, shape[1], *shape[3:]).contiguous()
        return Plane().eval(), (frames,), ["y"]
    if kind == "matmul":
        size = int(detail)

        class Product(torch.nn.Module):
            def forward(self, a, b):
                return a @ b

        return Product(), (noise("a", (size, size)), noise("b", (size, size))), ["product"]
    raise SystemExit(f"there is no case {kind}")


def unet(torch, noise):
    """Spleeter's U-net with TensorFlow's variables, in PyTorch."""

    def weight(name, shape):
        return torch.from_numpy(spleeter_weight(name, shape))

    def scope(kind, number):
        return kind if number == 0 else f"{kind}_{number}"

    class Unet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.down_norms, self.up, self.up_norms = [torch.nn.ModuleList() for _ in range(4)]
            inputs = 2
            for i, outputs in enumerate(FILTERS):
                self.down.append(self.conv(i, inputs, outputs, 5, stride=2))
                if i < 5:
                    self.down_norms.append(self.norm(i, outputs))
                inputs = outputs
            for i in range(6):
                outputs = FILTERS[4 - i] if i < 5 else 1
                name = scope("conv2d_transpose", i)
                layer = torch.nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=1)
                kernel = weight(f"{name}.kernel", (5, 5, outputs, inputs))
                layer.load_state_dict(
                    {"weight": kernel.permute(3, 2, 0, 1).contiguous(), "bias": weight(f"{name}.bias", (outputs,))}
                )
                self.up.append(layer)
                self.up_norms.append(self.norm(6 + i, outputs))
                inputs = 2 * outputs
            self.mask = self.conv(6, 1, 2, 4, dilation=2)

        def conv(self, number, inputs, outputs, size, **options):
            name = scope("conv2d", number)
            layer = torch.nn.Conv2d(inputs, outputs, size, **options)
            kernel = weight(f"{name}.kernel", (size, size, inputs, outputs))
            layer.load_state_dict(
                {"weight": kernel.permute(3, 2, 0, 1).contiguous(), "bias": weight(f"{name}.bias", (outputs,))}
            )
            return layer

        def norm(self, number, channels):
            name = scope("batch_normalization", number)
            layer = torch.nn.BatchNorm2d(channels, eps=1e-3)
            parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
            made = {own: weight(f"{name}.{theirs}", (channels,)) for own, theirs in parts.items()}
            layer.load_state_dict(made, strict=False)
            return layer

        def forward(self, magnitude):
            x, skips = magnitude, []
            pad = torch.nn.functional.pad
            for i, layer in enumerate(self.down):
                x = layer(pad(x, (1, 2, 1, 2)))
                if i < 5:
                    skips.append(x)
                    x = torch.nn.functional.leaky_relu(self.down_norms[i](x), 0.2)
            for layer, norm in zip(self.up, self.up_norms):
                x = norm(torch.relu(layer(x)[:, :, :-1, :-1]))
                if skips:
                    x = torch.cat([skips.pop(), x], 1)
            return torch.sigmoid(self.mask(pad(x, (3, 3, 3, 3)))) * magnitude

    return Unet().eval()


def torch_worker(kind, detail):
    import torch

    torch.set_num_threads(THREADS)
    device = torch.device(sys.argv[4])
    torch.backends.cudnn.allow_tf32 = os.environ.get("NVIDIA_TF32_OVERRIDE") != "0"
    if kind == "train-heads":
        run = train_heads(torch, device)
    elif kind == "train-slowfast":
        run = train_slowfast(torch, device)
    else:
        module, inputs, names = torch_case(kind, detail)
        module, inputs = module.to(device), [x.to(device) for x in inputs]

        @torch.inference_mode()
        def run():
            outputs = module(*inputs)
            return dict(zip(names, outputs if isinstance(outputs, tuple) else (outputs,)))

    def run_to_the_end():
        outputs = run()
        if device.type == "cuda":
            # It is still at work when a network returns.
            torch.cuda.synchronize()
        return outputs

    return run_to_the_end


def train_heads(torch, device):
    """Forward, loss of eq. 6, backward and a step of gradient descent of MRCMV over 16 pairs."""
    import mrcmv
    from noise import noise, weights

    pairs = 16
    c = dict(slow_dim=2048, fast_dim=256, d=128, heads=8, d_e=512, sa=True, cma=True, gate=True)
    c |= dict(pool="before_gate", norm="sqrt_dim")
    w = {name: tensor.to(device).requires_grad_() for name, tensor in weights(mrcmv.shapes(c)).items()}
    slow, fast = noise("slow", (pairs, 8, c["slow_dim"])).to(device), noise("fast", (pairs, 64, c["fast_dim"])).to(device)
    voice, music = noise("voice", (pairs, 72, c["d"])).to(device), noise("bgm", (pairs, 72, c["d"])).to(device)
    optimizer = torch.optim.SGD(w.values(), lr=1e-12, momentum=0.9)
    others = ~torch.eye(pairs, dtype=torch.bool, device=device)

    def chi(w, module, a, b, heads, see):
        """Eq. 1 and 2 with all heads at once, by PyTorch's own attention: the twin's loop would be slower."""

        def cut(x, name):
            return (x @ w[f"{module}.{name}.weight"].T).unflatten(2, (heads, -1)).transpose(1, 2)

        o = torch.nn.functional.scaled_dot_product_attention(cut(a, "wq"), cut(b, "wk"), cut(b, "wv"))
        see(f"{module}.heads", o)
        return a + o.transpose(1, 2).flatten(2) @ w[f"{module}.wo.weight"].T

    mrcmv.chi = chi

    def run():
        joint, _ = mrcmv.query(w, c, slow, fast, voice)
        bgm = mrcmv.bgm(w, c, music)
        distances = (joint.unsqueeze(1) - bgm.unsqueeze(0)).pow(2).sum(2)
        loss = torch.clamp(distances.diagonal().unsqueeze(1) - distances + 30, min=0)[others].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach().reshape(1)}

    return run


def train_slowfast(torch, device):
    """Forward and backward of SlowFast, all weights trained, for one clip of 112 x 112."""
    from noise import noise
    from slowfast import build

    model = build().to(device)
    slow, fast = noise("slow", (1, 3, 8, 112, 112)).to(device), noise("fast", (1, 3, 64, 112, 112)).to(device)
    stem = dict(model.named_parameters())["blocks.0.multipathway_blocks.1.conv.weight"]

    def run():
        x = [slow, fast]
        for block in model.blocks:
            x = block(x)
        model.zero_grad()
        sum(one.mean((3, 4)).sum() for one in x).backward()
        return {"gradient": stem.grad}

    return run


def onnx_worker(kind, detail):
    import onnxruntime
    import torch

    module, inputs, names = torch_case(kind, detail)
    path = Path(sys.argv[3]) / "model.onnx"
    with torch.no_grad():
        given = [f"input{i}" for i in range(len(inputs))]
        torch.onnx.export(module, inputs, str(path), input_names=given, output_names=names, dynamo=False)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    feed = {name: tensor.numpy() for name, tensor in zip(given, inputs)}
    return lambda: dict(zip(names, session.run(names, feed)))


def numpy_worker(kind, detail):
    """The 100 nearest by a product with BLAS; the norms are known beforehand."""
    assert kind == "top-k", kind
    rows, dim = int(detail), 512
    table = np.empty((rows, dim), np.float32)
    fill_by_parts("table", table)
    norms = np.sqrt(np.einsum("ij,ij->i", table, table))
    query = values("query", (dim,))

    def run():
        scores = table @ (query / np.linalg.norm(query)) / norms
        best = np.argpartition(scores, -100)[-100:]
        best = best[np.argsort(-scores[best])]
        return {"scores": scores[best]}

    return run


def fill_by_parts(name, table):
    """`values` needs many times the memory of what it makes."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) % 2**64
    flat = table.reshape(-1)
    for first in range(0, flat.size, 1 << 22):
        count = min(1 << 22, flat.size - first)
        with np.errstate(over="ignore"):
            at = np.arange(first + 1, first + count + 1, dtype=np.uint64)
            z = np.uint64(state) + at * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
        flat[first : first + count] = (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def tensorflow_worker(kind, detail):
    """The official network of Spleeter, one stem."""
    assert kind == "spleeter", kind
    import tensorflow as tf

    # The package imports it for reading lists of training files, which is not done here.
    sys.modules.setdefault("pandas", types.ModuleType("pandas"))
    from spleeter.model.functions import unet as official

    magnitude = np.abs(values("magnitude", (1, 2, 512, 1024))) * 4
    graph = tf.Graph()
    with graph.as_default():
        given = tf.compat.v1.placeholder(tf.float32, (1, 512, 1024, 2))
        made = official.unet(given, ["stem"], {"conv_n_filters": FILTERS})["stem_spectrogram"]
        threads = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=THREADS, inter_op_parallelism_threads=THREADS)
        session = tf.compat.v1.Session(graph=graph, config=threads)
        for variable in tf.compat.v1.global_variables():
            name = variable.name.removesuffix(":0").replace("/", ".")
            variable.load(spleeter_weight(name, variable.shape.as_list()), session)
    feed = {given: np.ascontiguousarray(magnitude.transpose(0, 2, 3, 1))}
    return lambda: {"stem": session.run(made, feed).transpose(0, 3, 1, 2)}


def main():
    engine, case, folder, _ = sys.argv[1:5]
    kind, _, detail = case.partition(":")
    workers = {"torch": torch_worker, "onnx": onnx_worker, "numpy": numpy_worker, "tensorflow": tensorflow_worker}
    run = workers[engine](kind, detail)
    for name, value in run().items():
        value = value if isinstance(value, np.ndarray) else value.cpu().numpy()
        np.save(Path(folder) / f"{name}.npy", np.ascontiguousarray(value))
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        run()
        print((time.perf_counter() - began) * 1e3, flush=True)


if __name__ == "__main__":
    main()
