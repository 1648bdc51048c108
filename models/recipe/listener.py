"""A linear listener on an arena corpus: what of a story can be heard in its voice and in its music, and whether that holds for people.

    python models/recipe/listener.py CORPUS [--acted DIR]

Ridge regression from the mean, spread and movement of 64 log-mel bands (each clip less its own mean level) to the valence and arousal
that the item's card says, step by step of 8 s, learnt on train and val and tried on test. Two listeners, one for the voice and one for
the track, then find each test voice's track by their answers: what the corpus offers before any network is trained. `--acted` is a folder
with RAVDESS speech of actors 01-03 (for measuring only), on which the voice's listener is tried as it is.
"""

import argparse
import json
import pathlib
import subprocess

import numpy as np

RATE, WINDOW, HOP, BANDS, STEP_S, STEPS = 44_100, 2048, 882, 64, 8, 4
RIDGE = 300.0
EXCITED, CALM = ("03", "05", "06", "08"), ("01", "02", "04")
PLEASANT, UNPLEASANT = ("03",), ("04", "05", "06", "07")


def decode(path, seconds=None):
    """Mono samples of any file."""
    length = ["-t", str(seconds)] if seconds else []
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", path, *length, "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)


def filters():
    """Triangles on VGGish's mel scale, 125 to 7500 Hz."""
    mel = lambda hz: 1127 * np.log(1 + hz / 700)
    edges = np.linspace(mel(125), mel(7500), BANDS + 2)
    bins = mel(np.fft.rfftfreq(WINDOW, 1 / RATE))
    rise = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rise, fall), 0, None)


FILTERS = filters()


def log_mel(samples):
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP] * np.hanning(WINDOW)
    spectrum = np.log(np.abs(np.fft.rfft(frames)) @ FILTERS + 0.01)
    return spectrum - spectrum.mean()


def summary(rows):
    return np.concatenate([rows.mean(0), rows.std(0), np.abs(np.diff(rows, axis=0)).mean(0)])


def steps(samples):
    """Summaries of the steps of the first 32 s, each without its first second, in which the last one may still sound."""
    rows, per_s = log_mel(samples), RATE / HOP
    return [summary(rows[int((STEP_S * step + 1) * per_s): int(STEP_S * (step + 1) * per_s)]) for step in range(STEPS)]


class Listener:
    """Ridge regression from summaries to (valence, arousal)."""

    def __init__(self, inputs, moods):
        self.mean, self.spread, self.middle = inputs.mean(0), inputs.std(0) + 1e-3, moods.mean(0)
        rows = (inputs - self.mean) / self.spread
        self.weights = np.linalg.solve(rows.T @ rows + RIDGE * np.eye(rows.shape[1]), rows.T @ (moods - self.middle))

    def hear(self, inputs):
        return (inputs - self.mean) / self.spread @ self.weights + self.middle


def auc(scores, above, below):
    """Part of the pairs that are in order."""
    pairs = scores[above][:, None] - scores[below][None]
    return (pairs > 0).mean() + 0.5 * (pairs == 0).mean()


def spread_of(measure, count, generator, draws=1000):
    """95 % interval of `measure(indices)` over resampled items."""
    values = [measure(generator.integers(0, count, count)) for _ in range(draws)]
    return np.nanpercentile(values, [2.5, 97.5])


def corpus(folder):
    cards = [json.loads(path.read_text()) for path in sorted(folder.glob("cards/*.json"))]
    made = json.loads((folder / "corpus.json").read_text())["items"]
    named = {item["id"]: item for item in made}
    cards = [card for card in cards if card["id"] in named]
    tested = np.array([named[card["id"]]["split"] == "test" for card in cards])
    answers, listeners = {}, {}
    for side in ("voice", "bgm"):
        inputs = np.array([steps(decode(folder / named[card["id"]][side], STEP_S * STEPS + 1)) for card in cards])
        moods = np.array([[[m["valence"], m["arousal"]] for m in card[side]["path"][:STEPS]] for card in cards])
        flat = lambda values, rows: values[rows].reshape(-1, values.shape[-1])
        listeners[side] = Listener(flat(inputs, ~tested), flat(moods, ~tested))
        heard, told = listeners[side].hear(flat(inputs, tested)), flat(moods, tested)
        valence, arousal = (np.corrcoef(heard[:, axis], told[:, axis])[0, 1] for axis in (0, 1))
        print(f"{side}: correlation with what is told, valence {valence:.2f}, arousal {arousal:.2f} "
              f"({(~tested).sum()} items learnt, {tested.sum()} tried)")
        heard = heard.reshape(tested.sum(), -1)
        answers[side] = (heard - heard.mean(0)) / heard.std(0)
    gaps = ((answers["voice"][:, None] - answers["bgm"][None]) ** 2).sum(2)
    ranks = (gaps <= np.diag(gaps)[:, None]).sum(1)
    count, generator = len(ranks), np.random.default_rng(0)
    for k in (1, 5, 10, 25):
        low, high = spread_of(lambda rows: 100 * (ranks[rows] <= k).mean(), count, generator)
        print(f"R@{k} {100 * (ranks <= k).mean():.1f} [{low:.1f}, {high:.1f}], chance {min(100, 100 * k / count):.1f}")
    return listeners["voice"]


def acted(listener, folder):
    rows = []
    for path in sorted(folder.glob("ravdess_*")):
        fields = path.stem.split("_")[1].split("-")
        if int(fields[6]) > 3:
            continue
        samples = decode(path)
        loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
        rows.append((fields[6], fields[2], summary(log_mel(samples[loud[0]: loud[-1]]))))
    actor, emotion = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    heard = listener.hear(np.array([row[2] for row in rows]))
    for name in set(actor):  # An actor is heard against their own habit.
        heard[actor == name] -= heard[actor == name].mean(0)
    generator = np.random.default_rng(0)
    for word, axis, above, below in (("arousal", 1, EXCITED, CALM), ("valence", 0, PLEASANT, UNPLEASANT)):
        measure = lambda rows: auc(heard[rows, axis], np.isin(emotion[rows], above), np.isin(emotion[rows], below))
        low, high = spread_of(measure, len(rows), generator, 300)
        value = measure(np.arange(len(rows)))
        print(f"acted speech, {len(rows)} files: {word} AUC {value:.2f} [{low:.2f}, {high:.2f}], chance 0.50")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--acted", type=pathlib.Path)
    options = parser.parse_args()
    voice = corpus(options.corpus)
    if options.acted:
        acted(voice, options.acted)
