"""Do suggestions mean something on sound and pictures that nobody made for Undertone?

    python models/recipe/meaning.py [--pack DIR] [--actors 01-03] [--media ../shared/media] [--work DIR] [--write models/README.md]
    python models/recipe/meaning.py --self-check

Indexes the 96 tracks of MEDIA/music with the pack and asks `undertone suggest` for ten of them, by voice and by picture.

By voice: a query is one actor's one emotion at one intensity (RAVDESS; 15 queries an actor, neutral has one intensity): its four
utterances without the silence around them, 0.4 s apart, in turn until 32 s are full, at one level, so that loudness alone tells
nothing (`--no-separate`, no picture). Its tracks are held against moods.csv and emotions.csv; agreement.py says how, and what the
intervals and chance mean. Actors 01-03 are for development; 04-06 are to be reported once.

By picture: fast against calm pieces of about 6 s of the same video, without sound. Ranked by motion, the mean difference between
successive pictures (10 a second, 64 x 36, grey), the upper half of a video's pieces is fast, the lower calm, a middle one left out.
Because few videos hold both, also the same moments at double against half speed. What is told is the difference in mean arousal of the
ten tracks, against that of dealing "fast" and "calm" anew within each video.
"""

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import soundfile

from agreement import AXES, TOP, Trial, gap_by_chance, halves, own_habit, same_or_opposite, self_check, table
from listener import RATE, decode

ROOT = pathlib.Path(__file__).parent.parent.parent
QUERY_S, PAUSE_S, SPOKEN_RMS = 32.5, 0.4, 0.1
PIECE_S = 6
GAMEPLAY = ("myrkur_gameplay.mp4", "neural_game_engine_gameplay_silent.mp4")


class Undertone:
    """The program with a library of its own, one for each pack and set of tracks."""

    def __init__(self, program, pack, music, work):
        self.program, self.pack = program, pack
        self.digest = hashlib.sha256((pack / "pack.json").read_bytes()).hexdigest()[:16]
        self.home = work / f"home-{self.digest}"
        report = self.run("index", music, "--songs", "no")
        if report["failed"] or report["indexed"] + report["unchanged"] != len(table("moods.csv", "file")):
            raise SystemExit(f"the library is not the 96 tracks of moods.csv: {json.dumps(report)[:500]}")

    def run(self, *words):
        command = [str(word) for word in (self.program, *words, "--json", "--pack", self.pack)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"UNDERTONE_HOME": str(self.home)})
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed; the program's own words stand above")
        return json.loads(done.stdout)

    def tracks(self, media, *words):
        """File names of the ten tracks, best first, and what the program says it used."""
        answer = self.run("suggest", media, "--top", TOP, *words)
        names = [pathlib.Path(row["path"]).name for row in answer["suggestions"]]
        if len(names) != TOP:
            raise SystemExit(f"{media} was answered with {len(names)} tracks")
        return names, answer["query"]


def spoken(samples):
    """Without the silence around it."""
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    return samples[loud[0]: loud[-1] + 1]


def voice_query(paths):
    """[samples]: the utterances in turn, a pause after each, at one level while they speak."""
    utterances = [spoken(decode(path)) for path in paths]
    level = np.sqrt(np.mean(np.concatenate(utterances) ** 2))
    once = np.concatenate([part for one in utterances for part in (one, np.zeros(int(PAUSE_S * RATE), np.float32))])
    return np.clip(np.resize(once, int(QUERY_S * RATE)) / level * SPOKEN_RMS, -1, 1), len(once) / RATE


def ask_voices(undertone, folder, actors, scratch):
    """[(actor, emotion, intensity, tracks)]"""
    groups = {}
    for path in sorted(folder.glob("ravdess_*.flac")):
        _, _, emotion, intensity, _, _, actor = path.stem.split("_")[1].split("-")
        if actor in actors:
            groups.setdefault((actor, emotion, intensity), []).append(path)
    answers, lengths = [], []
    for key, paths in groups.items():
        print(f"voice {len(answers) + 1} of {len(groups)}", file=sys.stderr)
        wave = scratch / f"{'-'.join(key)}.wav"
        samples, length = voice_query(paths)
        soundfile.write(wave, samples, RATE, subtype="PCM_16")
        names, used = undertone.tracks(wave, "--no-separate")
        if not used["voice"] or used["picture"]:
            raise SystemExit(f"{wave.name} was not asked by voice alone")
        answers.append((*key, names))
        lengths.append(length)
    return answers, np.median(lengths)


def habits(answers):
    """What the ranking prefers whatever it is asked: a sentence."""
    firsts, all_ten = [names[0] for *_, names in answers], {name for *_, names in answers for name in names}
    most = max(set(firsts), key=firsts.count)
    return (f"{len(set(firsts))} different tracks came first, {len(all_ten)} of 96 were among the ten; "
            f"the most frequent first, {most}, {firsts.count(most)} times.")


def voices(undertone, media, actors, scratch):
    answers, length = ask_voices(undertone, media / "voice", actors, scratch)
    moods, emotions, generator = table("moods.csv", "file"), table("emotions.csv", "code"), np.random.default_rng(0)
    actor, emotion = [row[0] for row in answers], [row[1] for row in answers]
    lines = [f"**Acted voices, actors {', '.join(sorted(set(actor)))}**: {len(answers)} queries by voice alone (RAVDESS, {length:.0f} s of "
             f"utterances in turn until 32 s), 96 tracks. {habits(answers)}", "",
             "| | queries | value [95 %] | chance [95 %] |", "|---|---|---|---|"]
    notes, means = [], {}
    for axis in AXES:
        signs = [emotions[code][axis] for code in emotion]
        levels = np.array([[moods[name][axis] for name in names] for *_, names in answers])
        means[axis] = levels.mean(1)
        trial = Trial(actor, emotion, signs, levels)
        count = f"{(trial.signs == 1).sum()} + {(trial.signs == -1).sum()}"
        relative = Trial(actor, emotion, signs, own_habit(actor, levels))
        rows = [(name, trial, measure, digits) for name, measure, digits in trial.measures()]
        rows.append(("AUC, each actor against their own mean", relative, relative.auc, 2))
        for name, tried, measure, digits in rows:
            value, middle = measure(None, None), 0.5 if digits == 2 else 50
            (low, high), (below, above) = tried.interval(measure, generator), tried.chance(measure, generator)
            lines.append(f"| {axis}, {name} | {count} | {value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}] "
                         f"| {middle:.{digits}f} [{below:.{digits}f}, {above:.{digits}f}] |")
        library = np.array([mood[axis] for mood in moods.values()])
        words = ("excited", "calm") if axis == "arousal" else ("pleasant", "unpleasant")
        for depth in (1, TOP):
            for word, shares in zip(words, same_or_opposite(trial, depth, library)):
                notes.append(f"- top-{depth} tracks of {word} voices: {shares}")
    lines += ["", "Levels of the tracks, not weighed:", "", *notes, "", "Mean level of the ten tracks by emotion:", "",
              "| emotion | " + " | ".join(row["emotion"] for row in emotions.values()) + " | library |", "|---" * (len(emotions) + 2) + "|"]
    for axis in AXES:
        by_emotion = [f"{means[axis][np.array(emotion) == code].mean():+.2f}" for code in emotions]
        lines.append(f"| {axis} | {' | '.join(by_emotion)} | {np.mean([mood[axis] for mood in moods.values()]):+.2f} |")
    return lines


def cut(path, start_s, length_s, speed, piece):
    """A piece of a video without sound, played faster or slower; returns its motion."""
    shape = f"setpts=(PTS-STARTPTS)/{speed},crop=trunc(iw/2)*2:trunc(ih/2)*2"
    source = ["-ss", str(start_s), "-t", str(length_s), "-i", path, "-map", "0:v:0", "-an"]
    coding = ["-vf", shape, "-c:v", "libx264", "-crf", "14", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *source, *coding, piece], check=True)
    small = ["ffmpeg", "-v", "error", "-nostdin", "-i", piece, "-vf", "fps=10,scale=64:36,format=gray", "-f", "rawvideo", "-"]
    frames = np.frombuffer(subprocess.run(small, capture_output=True, check=True).stdout, np.uint8).reshape(-1, 36, 64)
    return np.abs(np.diff(frames.astype(float), axis=0)).mean() / 255


def duration_s(path):
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path]
    return float(subprocess.run(probe, capture_output=True, check=True, text=True).stdout)


def found_pieces(path, scratch):
    """[(motion, file)] of one video, equally long: its calmer half, then its faster half."""
    length, made = duration_s(path), []
    count = max(2, int(length // PIECE_S))
    for index in range(count):
        piece = scratch / f"{path.stem}-{index}.mp4"
        made.append((cut(path, index * length / count, length / count, 1, piece), piece))
    made.sort()
    return made[: count // 2] + made[-(count // 2):]


def made_pieces(path, scratch):
    """[(motion, file)] from around the same moments: at half speed, then at double speed."""
    count, made = max(1, int(duration_s(path) // (2 * PIECE_S))), []
    for speed in (0.5, 2):
        for index in range(count):
            middle, length = (index + 0.5) * duration_s(path) / count, min(PIECE_S * speed, duration_s(path) / count)
            piece = scratch / f"{path.stem}-{index}-at-{speed}.mp4"
            made.append((cut(path, middle - length / 2, length, speed, piece), piece))
    return made


def pictures(undertone, media, scratch):
    """Fast against calm pieces, gameplay apart from film."""
    moods, generator = table("moods.csv", "file"), np.random.default_rng(0)
    lines = ["**Pictures alone**, fast against calm pieces of the same videos: mean arousal of the ten tracks", "",
             "| | videos | fast + calm pieces | motion, fast and calm | arousal, fast and calm | difference | chance [95 %] |",
             "|---|---|---|---|---|---|---|"]
    files = sorted(path for path in (media / "video").iterdir() if path.suffix in (".mp4", ".mkv", ".webm"))
    play, film = [path for path in files if path.name in GAMEPLAY], [path for path in files if path.name not in GAMEPLAY]
    for kind, paths, choose in (("gameplay", play, found_pieces), ("gameplay, double against half speed", play, made_pieces),
                                ("film", film, found_pieces), ("film, double against half speed", film, made_pieces)):
        motion, arousal = [], []
        for path in paths:
            print(f"{kind}: {path.name}", file=sys.stderr)
            chosen = choose(path, scratch)
            answers = [undertone.tracks(piece) for _, piece in chosen]
            if any(used["voice"] or not used["picture"] for _, used in answers):
                raise SystemExit(f"{path.name} was not asked by picture alone")
            motion.append(np.array([value for value, _ in chosen]))
            arousal.append(np.array([np.mean([moods[name]["arousal"] for name in names]) for names, _ in answers]))
        (calm_motion, fast_motion), (calm, fast) = halves(motion), halves(arousal)
        low, high = gap_by_chance(arousal, generator)
        lines.append(f"| {kind} | {len(paths)} | {len(fast)} + {len(calm)} | {fast_motion.mean():.3f} and {calm_motion.mean():.3f} "
                     f"| {fast.mean():+.2f} and {calm.mean():+.2f} | {fast.mean() - calm.mean():+.2f} | 0.00 [{low:+.2f}, {high:+.2f}] |")
    return lines


def numbers(text):
    """"01-03" to {"01", "02", "03"}."""
    first, last = text.split("-") if "-" in text else (text, text)
    return {f"{number:02d}" for number in range(int(first), int(last) + 1)}


def put(page, key, text):
    """Between the markers of that key in the page."""
    start, end = f"<!-- meaning {key} -->", f"<!-- end of meaning {key} -->"
    words = page.read_text()
    if start not in words or end not in words:
        raise SystemExit(f"{page} has no place for these figures: put {start} and {end} where they belong")
    page.write_text(words[: words.index(start) + len(start)] + "\n" + text + "\n" + words[words.index(end):])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--undertone", type=pathlib.Path, default=ROOT / "target" / "release" / "undertone", help="the program")
    parser.add_argument("--pack", type=pathlib.Path, default=ROOT / "models" / "compact", help="folder of the pack")
    parser.add_argument("--media", type=pathlib.Path, default=ROOT.parent / "shared" / "media")
    parser.add_argument("--work", type=pathlib.Path, help="keeps library and answered queries between runs; a run that was stopped goes on")
    parser.add_argument("--actors", default="01-03", help="01-03 to develop on; 04-06 once, when nothing will change any more")
    parser.add_argument("--only", choices=("voice", "picture"))
    parser.add_argument("--write", type=pathlib.Path, metavar="PAGE", help="puts the figures between the page's markers of these actors")
    parser.add_argument("--self-check", action="store_true", help="tries the measure on planted answers and stops")
    options = parser.parse_args()
    if options.self_check:
        return self_check()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        undertone = Undertone(options.undertone, options.pack, options.media / "music", options.work or scratch)
        lines = [f"Pack {options.pack.name}, pack.json sha256 {undertone.digest}….", ""]
        if options.only != "picture":
            lines += [*voices(undertone, options.media, numbers(options.actors), scratch), ""]
        if options.only != "voice":
            lines += [*pictures(undertone, options.media, scratch), ""]
    print("\n".join(lines))
    if options.write:
        put(options.write, options.actors, "\n".join(lines))


if __name__ == "__main__":
    main()
