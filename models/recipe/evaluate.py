"""Measures the pack's separator and writes the table into models/README.md.

SI-SDR improvement: scale-invariant signal-to-distortion ratio of the estimated stem minus that of the mix, both channels together, in
dB. A mix at -12 dB holds BGM whose RMS lies 12 dB below the voice's while it speaks. Reconstruction as the program's: 512-frame
segments, ratio mask (exponent 2, epsilon 1e-10), the mask's mean over the kept bins above 11 kHz, the mix's phase.
"""

import json
import tempfile
import pathlib

import numpy as np
import torch
from safetensors.torch import load_file

import blend
import sound
import unet
from sound import RATE

LEVELS_DB = [0, -6, -12, -18]
SEGMENT = 512
START, END = "<!-- evaluation -->", "<!-- end of evaluation -->"


def load(pack):
    """The two U-nets from the pack's file, through the TensorFlow names."""
    tensors = load_file(pack / "spleeter.safetensors")
    nets = []
    for stem in range(2):
        net = unet.UNet(0.25).eval()
        suffix = lambda base, number: base if number == 0 else f"{base}_{number}"
        with torch.no_grad():
            for index, layer in enumerate([*net.encoder, net.mask]):
                name = suffix("conv2d", stem * 7 + index)
                layer.weight.copy_(tensors[f"{name}.kernel"].permute(3, 2, 0, 1))
                layer.bias.copy_(tensors[f"{name}.bias"])
            for index, layer in enumerate(net.decoder):
                name = suffix("conv2d_transpose", stem * 6 + index)
                layer.weight.copy_(tensors[f"{name}.kernel"].permute(3, 2, 0, 1))
                layer.bias.copy_(tensors[f"{name}.bias"])
            for index, layer in enumerate([*net.encoder_norm, *net.decoder_norm]):
                name = suffix("batch_normalization", stem * 12 + index)
                for ours, theirs in (("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean"), ("running_var", "moving_variance")):
                    getattr(layer, ours).copy_(tensors[f"{name}.{theirs}"])
        nets.append(net.to(memory_format=torch.channels_last))
    return nets


@torch.no_grad()
def separate(nets, mix):
    """[samples, 2] to (voice, bgm), each [samples, 2]."""
    frame, hop, bins = blend.FRAME, blend.HOP, blend.BINS
    frames = int(np.ceil((len(mix) + 2 * frame) / hop))
    padded = np.zeros(((frames - 1) * hop + frame, 2), np.float32)
    padded[frame: frame + len(mix)] = mix
    window = torch.hann_window(frame)
    full = torch.stft(torch.from_numpy(np.ascontiguousarray(padded.T)), frame, hop, window=window, center=False,
                      return_complex=True).transpose(1, 2)
    pieces = [[], []]
    for start in range(0, frames, SEGMENT):
        magnitude = full[:, start: start + SEGMENT, :bins].abs()[None]
        count = magnitude.shape[2]
        magnitude = torch.nn.functional.pad(magnitude, (0, 0, 0, SEGMENT - count))
        for stem, net in enumerate(nets):
            pieces[stem].append(net(magnitude.contiguous(memory_format=torch.channels_last))[0, :, :count])
    squares = [torch.cat(row, 1).square() for row in pieces]
    total = sum(squares) + 1e-10
    out = []
    for square in squares:
        mask = (square + 0.5e-10) / total
        mask = torch.cat([mask, mask.mean(2, keepdim=True).expand(-1, -1, full.shape[2] - bins)], 2)
        blocks = torch.fft.irfft(full * mask, frame) * window
        wave = torch.nn.functional.fold(blocks.transpose(1, 2), (1, len(padded)), (1, frame), stride=(1, hop))[:, 0, 0] / 1.5
        out.append(wave[:, frame: frame + len(mix)].T.numpy())
    return out


def si_sdr(estimate, truth):
    estimate, truth = np.float64(estimate).ravel(), np.float64(truth).ravel()
    target = truth * (estimate @ truth / (truth @ truth + 1e-12))
    return float(10 * np.log10((target @ target + 1e-12) / (np.sum((estimate - target) ** 2) + 1e-12)))


def spoken_rms(voice):
    loud = np.abs(voice) > 0.05 * np.abs(voice).max()
    return float(np.sqrt(np.mean(np.square(voice[loud]))))


def compare(nets, pairs):
    """{level: [voice improvement, bgm improvement, voice SI-SDR of the mix, bgm SI-SDR of the mix]} over (voice, bgm) pairs."""
    rows = {level: [] for level in LEVELS_DB}
    for voice, bed in pairs:
        voice = voice / spoken_rms(voice) * 0.1
        for level in LEVELS_DB:
            played = bed / sound.rms(bed) * 0.1 * sound.decibel(level)
            mix = voice + played
            got = separate(nets, mix)
            before = [si_sdr(mix, stem) for stem in (voice, played)]
            after = [si_sdr(estimate, stem) for estimate, stem in zip(got, (voice, played))]
            rows[level].append([after[0] - before[0], after[1] - before[1], *after])
    return rows


def cut(rng, arrays, length):
    """A random stretch of one of the corpus's arrays, [length, channels]; narration may begin or end within it.

    On the processor and by numpy's generator, so that all editions of the table are of the same stretches (hence two samples more).
    """
    array = arrays[rng.integers(len(arrays))]
    need = length + 2
    slack = need // 2 if array.ndim == 1 else 0
    start = int(rng.integers(-slack, max(1, len(array) - need + slack)))
    piece = np.asarray(array[max(0, start): max(0, start + need)], np.float32) / 32767
    piece = piece.reshape(len(piece), -1)
    out = np.zeros((need, piece.shape[1]), np.float32)
    at = max(0, -start)
    out[at: at + len(piece)] = piece[: need - at]
    return out[:length]


def generated_pairs(work, seed, count=24, seconds=11):
    """Held-out synthetic voices over held-out compositions on the held-out soundfont."""
    speech, music = ([np.load(path, mmap_mode="r") for path in sorted((work / "corpus" / "test" / kind).glob("*.npy"))]
                     for kind in ("speech", "music"))
    rng = np.random.default_rng([seed, 31])
    for _ in range(count):
        voice = np.repeat(cut(rng, speech, seconds * RATE), 2, axis=1)
        while sound.rms(voice) < 0.01:
            voice = np.repeat(cut(rng, speech, seconds * RATE), 2, axis=1)
        yield voice, cut(rng, music, seconds * RATE)


def real_pairs(media, seed, count=24, seconds=11):
    """Acted speech of one actor (three lines with pauses) over a stretch of a real game track."""
    rng = np.random.default_rng([seed, 32])
    voices, tracks = sorted((media / "voice").glob("ravdess_*.flac")), sorted((media / "music").glob("*.opus"))
    for index in range(count):
        actor = f"-{1 + index % 6:02d}.flac"
        lines = [path for path in voices if path.name.endswith(actor)]
        voice = np.concatenate([sound.read(lines[i]) for i in rng.permutation(len(lines))[:4]])
        voice = sound.fit(voice, seconds * RATE)
        track = decoded(tracks[int(rng.integers(len(tracks)))])
        start = int(rng.integers(0, max(1, len(track) - seconds * RATE)))
        bed = sound.fit(track[start: start + seconds * RATE], seconds * RATE)
        if sound.rms(bed) > 1e-3:
            yield voice, bed


def decoded(path):
    """Any sound through ffmpeg (which takes an mp3's encoder delay away)."""
    with tempfile.TemporaryDirectory() as folder:
        wave = pathlib.Path(folder, "sound.wav")
        sound.run(["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-ac", 2, "-ar", RATE, "-c:a", "pcm_f32le", wave])
        return sound.read(wave)


def alone(nets, samples, wrong):
    """How far below the input the stem that should be silent lies, in dB."""
    return 20 * np.log10(sound.rms(separate(nets, samples)[wrong]) / sound.rms(samples))


def table(title, rows):
    lines = [f"**{title}** (n = {len(rows[0])})", "", "| BGM level | voice improvement | BGM improvement | voice SI-SDR after | BGM SI-SDR after |",
             "|---|---|---|---|---|"]
    for level, values in rows.items():
        mean, error = np.mean(values, 0), np.std(values, 0, ddof=1) / np.sqrt(len(values))
        lines.append(f"| {level} dB | {mean[0]:+.1f} ± {error[0]:.1f} dB | {mean[1]:+.1f} ± {error[1]:.1f} dB | {mean[2]:.1f} dB | {mean[3]:.1f} dB |")
    return [*lines, ""]


def report(pack, work, media, seed):
    """Prints the tables and puts them between the markers of models/README.md."""
    torch.set_num_threads(1)
    nets = load(pack)
    digest = json.loads((pack / "pack.json").read_text())["networks"]["spleeter"]["sha256"]
    lines = [f"Weights sha256 {digest[:16]}…, device CPU, seed {seed}, mean ± standard error.", ""]
    if (work / "corpus" / "test").is_dir():
        pairs = list(generated_pairs(work, seed))
        lines += table("Held-out generated mixes: sentences, voices, compositions and soundfont kept out of training", compare(nets, pairs))
        leaks = [np.mean([alone(nets, pair[wrong ^ 1], wrong) for pair in pairs[:8]]) for wrong in (1, 0)]
        lines += [f"Voice alone leaks {leaks[0]:.1f} dB into the BGM stem, BGM alone {leaks[1]:.1f} dB into the voice stem.", ""]
    if media is not None:
        pairs = list(real_pairs(media, seed))
        lines += table("Held-out real mixes: RAVDESS acted speech over game music, for evaluation only", compare(nets, pairs))
        leaks = [np.mean([alone(nets, pair[wrong ^ 1], wrong) for pair in pairs[:8]]) for wrong in (1, 0)]
        lines += [f"Voice alone leaks {leaks[0]:.1f} dB into the BGM stem, BGM alone {leaks[1]:.1f} dB into the voice stem.", ""]
        folder = media / "separation"
        mix = decoded(folder / "spleeter_audio_example.mp3")
        truth = [decoded(folder / f"spleeter_audio_example_{stem}.flac") for stem in ("vocals", "accompaniment")]
        length = min(len(mix), *(len(stem) for stem in truth))
        got = separate(nets, mix[:length])
        before = [si_sdr(mix[:length], stem[:length]) for stem in truth]
        after = [si_sdr(estimate, stem[:length]) for estimate, stem in zip(got, truth)]
        lines += ["**Spleeter's own example, a song**, against the stems of the official full-width weights: "
                  f"vocals {before[0]:.1f} dB in the mix, {after[0]:.1f} dB here; accompaniment {before[1]:.1f} dB in the mix, {after[1]:.1f} dB here. "
                  "Singing is outside this separator's training.", ""]
    text = "\n".join(lines)
    print(text)
    readme = pack.parent / "README.md"
    page = readme.read_text() if readme.exists() else ""
    if START in page and END in page:
        readme.write_text(page[: page.index(START) + len(START)] + "\n" + text + page[page.index(END):])
