"""The front ends' own code: VGGish's mel_features.py (NumPy) and TensorFlow's STFT as Spleeter calls it.

    pip install tensorflow-cpu==2.15.* safetensors
    pip install --no-deps torchvggish==0.2
    python tests/golden/signal_reference.py      writes signal.safetensors beside this file
"""

import importlib.util
from pathlib import Path

import numpy as np
import tensorflow as tf
from noise import values
from safetensors.numpy import save_file


def mel_features():
    """The module alone: its package wants PyTorch."""
    package = importlib.util.find_spec("torchvggish").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("mel_features", Path(package) / "mel_features.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def log_mel(samples):
    return mel_features().log_mel_spectrogram(
        samples.astype(np.float64),
        audio_sample_rate=16000,
        log_offset=0.01,
        window_length_secs=0.025,
        hop_length_secs=0.010,
        num_mel_bins=64,
        lower_edge_hertz=125,
        upper_edge_hertz=7500,
    ).astype(np.float32)


def window(length, dtype):
    return tf.signal.hann_window(length, periodic=True, dtype=dtype)


def main():
    out = {"log_mel.noise": log_mel(values("mel", (16000,)) * 0.5)}
    sine = np.sin(2 * np.pi * 1000 * np.arange(48000) / 16000).astype(np.float32)
    out["log_mel.sine"] = log_mel(sine)[::7]

    sound = values("stft", (6000,))
    padded = np.concatenate([np.zeros(4096, np.float32), sound])
    frames = tf.signal.stft(padded, 4096, 1024, window_fn=window, pad_end=True)
    kept = frames.numpy()[:, ::16]
    out["stft.real"], out["stft.imag"] = kept.real, kept.imag
    mask = values("mask", frames.shape) * 0.5 + 0.5
    masked = tf.signal.inverse_stft(frames * tf.cast(mask, tf.complex64), 4096, 1024, window_fn=window)
    out["inverse"] = masked.numpy()[4096 : 4096 + 6000] * (2 / 3)
    out = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in out.items()}
    save_file(out, Path(__file__).with_name("signal.safetensors"))


if __name__ == "__main__":
    main()
