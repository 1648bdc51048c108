"""Spleeter's own network and pipeline (TensorFlow 2.15, Keras 2) on reproducible weights and sound.

    pip install tensorflow-cpu==2.15.* safetensors
    pip install --no-deps spleeter==2.4.2
    python tests/golden/spleeter_reference.py    writes spleeter.safetensors and spleeter_waveform.safetensors beside it
"""

import sys
import types
from pathlib import Path

import numpy as np
import tensorflow as tf
from noise import spleeter_weight, values
from safetensors.numpy import save_file

# The package imports it for reading lists of training files, which is not done here.
sys.modules.setdefault("pandas", types.ModuleType("pandas"))
from spleeter.model import EstimatorSpecBuilder  # noqa: E402
from spleeter.model.functions import unet  # noqa: E402

FILTERS = [16, 32, 64, 128, 256, 512]
ELU = {"conv_activation": "ELU", "deconv_activation": "ELU"}


# Of each layer every 61st value.
LAYER_STEP = 61


def layers():
    """What the layers of the graph so far give, by the names of their last variables: convolutions with their bias, norms on the way up."""
    operations = tf.compat.v1.get_default_graph().get_operations()
    found = {}
    for operation in operations:
        scope, _, kind = operation.name.partition("/")
        convolution = scope.split("_")[0] == "conv2d" and "transpose" not in scope and kind == "BiasAdd"
        norm = scope.startswith("batch_normalization") and kind == "cond/Identity"
        if convolution or norm and number(scope) % 12 > 5:
            found[scope] = operation.outputs[0]
    return found


def number(scope):
    tail = scope.rpartition("_")[2]
    return int(tail) if tail.isdigit() else 0


def run(build, feed):
    """The outputs of a graph whose variables are `spleeter_weight`s, by name."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        outputs = build({name: tf.constant(value) for name, value in feed.items()})
        variables = tf.compat.v1.global_variables()
        for variable in variables:
            name = variable.name.removesuffix(":0").replace("/", ".")
            variable.load(spleeter_weight(name, variable.shape.as_list()), session)
        return session.run(outputs)


def network(function, stems, width, params, frames, bins):
    """The stems, [B, T, F, 2] inside and [B, 2, T, F] outside, and the layers."""
    magnitude = np.abs(values("magnitude", (1, 2, frames, bins))) * 4
    params = {"conv_n_filters": [int(filters * width) for filters in FILTERS], **params}
    names = [str(stem) for stem in range(stems)]

    def build(feed):
        stems = function(tf.transpose(feed["magnitude"], [0, 2, 3, 1]), names, params)
        return {**stems, **layers()}

    outputs = {name: output.transpose(0, 3, 1, 2) for name, output in run(build, {"magnitude": magnitude}).items()}
    stems = [outputs.pop(f"{name}_spectrogram") for name in names]
    assert len(outputs) == 13 * len(names), sorted(outputs)
    return stems, {name: output.ravel()[::LAYER_STEP] for name, output in outputs.items()}


def pipeline(waveform, width, extension):
    """Waveforms of voice and BGM, segments of 512 frames, as `spleeter separate` makes them."""
    params = {
        "mix_name": "mix",
        "instrument_list": ["voice", "bgm"],
        "sample_rate": 44100,
        "frame_length": 4096,
        "frame_step": 1024,
        "T": 512,
        "F": 1024,
        "n_channels": 2,
        "separation_exponent": 2,
        "mask_extension": extension,
        "model": {"type": "unet.unet", "params": {"conv_n_filters": [int(filters * width) for filters in FILTERS]}},
    }
    outputs = run(lambda feed: EstimatorSpecBuilder(feed, params).outputs, {"waveform": waveform})
    return outputs["voice"], outputs["bgm"]


def main():
    out = {}

    def add(case, outputs, step):
        stems, layers = outputs
        for stem, output in enumerate(stems):
            out[f"{case}.{stem}"] = np.ascontiguousarray(output[..., ::step])
        for name, values in layers.items():
            out[f"{case}.{name}"] = np.ascontiguousarray(values)

    add("two", network(unet.unet, 2, 1 / 4, {}, 64, 128), 2)
    add("four", network(unet.unet, 4, 1 / 8, ELU, 128, 64), 8)
    add("five", network(unet.softmax_unet, 5, 1 / 8, ELU, 64, 64), 8)
    add("full", network(unet.unet, 2, 1, {}, 64, 64), 4)
    here = Path(__file__)
    save_file(out, here.with_name("spleeter.safetensors"))

    # Two segments, the second short; a second and a bit of silence in the middle; odd length.
    samples = 13 * 44100 + 77
    waveform = values("waveform", (samples, 2)) * 0.25
    waveform[200_000:250_000] = 0
    out = {}
    for extension in ("zeros", "average"):
        for stem, output in zip(("voice", "bgm"), pipeline(waveform, 1 / 8, extension)):
            assert output.shape == waveform.shape
            # Every 97th sample, and all around the border of the segments, and the end.
            border = 512 * 1024 - 4096
            out[f"{extension}.{stem}.sparse"] = output[::97]
            out[f"{extension}.{stem}.border"] = output[border - 500 : border + 500]
            out[f"{extension}.{stem}.end"] = output[-500:]
    out = {name: np.ascontiguousarray(value) for name, value in out.items()}
    save_file(out, here.with_name("spleeter_waveform.safetensors"))


if __name__ == "__main__":
    main()
