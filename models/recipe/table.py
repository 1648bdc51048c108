"""The pack's Table 1 on *arena*, and what leaks: python models/recipe/table.py --work DIR [--program PROGRAM] [--pack DIR]

Trains what the table needs and is not there yet, each in its own folder under `--work`/rows and each resumable: the full model by three
seeds, the ablations, CMMR and CBVMR on the corpus in `--work`/pairs, from the first weights that the step heads left. Evaluates them
beside the pack on arena's test split, by voice or picture alone too, with the floors, and the pack on a test split of another generator
seed. The leak: heads trained on halves of one mix, as the paper trains, against swapped ones, on a corpus whose sides know nothing of each
other and on pairs.
Writes `--work`/table.md.
"""

import argparse
import json
import pathlib
import subprocess

import heads

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADS = heads.TRAINING
BASELINE = "--cuts 1 --renderings 2".split()
ROWS = {
    **{f"full, seed {seed}": [*HEADS, "--seed", str(seed)] for seed in (0, 1, 2)},
    **{f"without {module}": [*HEADS, "--without", module] for module in ("sa", "cma", "gate")},
    "with the pseudo-label loss": ["0.1" if before == "--lambda" else word for before, word in zip(["", *HEADS], HEADS)],
    "CMMR": [*BASELINE, "--method", "cmmr"],
    "CBVMR": [*BASELINE, "--method", "cbvmr"],
}
LEAKS = {"halves of one mix": "off", "swapped": "on"}


class Bench:
    def __init__(self, program, work, pack):
        self.program, self.work, self.pack = program, work, pack

    def run(self, *words):
        return subprocess.run([self.program, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True).stdout

    def corpus(self, name, *flags):
        folder = self.work / name
        if not (folder / "corpus.json").exists():
            self.run("corpus", "generate", "--out", folder, *flags)
        return folder

    def trained(self, name, corpus, flags):
        out = self.work / "rows" / name.replace(", ", "_").replace(" ", "_")
        if not (out / "pack.json").exists():
            self.run("train", "--corpus", corpus, "--pack", self.work / heads.FIRST, "--out", out, *flags, *(["--resume"] if out.exists() else []))
        return out

    def rows(self, corpus, packs, *flags):
        """Rows of the table for packs by name."""
        words = [word for pack in packs.values() for word in ("--pack", pack)]
        answer = json.loads(self.run("evaluate", "--corpus", corpus, *words, *flags, "--json"))
        names = {pathlib.Path(pack).name: name for name, pack in packs.items()}
        return [line(row, names.get(row["pack"], row["pack"])) for row in answer["rows"]]


def line(row, name):
    within = lambda key: f"{row[key]:.1f}" + (" [{:.1f}, {:.1f}]".format(*row["ci95"][key]) if row.get("ci95") else "")
    asked = "" if row.get("ask", "both") == "both" else f", by the {row['ask']} alone"
    cells = [name + asked, row["protocol"] or "both", *(within(key) for key in ("r1", "r5", "r10", "r25")), f"{row['median_rank']:g}"]
    return "| " + " | ".join(cells) + " |"


HEAD = ["| | protocol | R@1 | R@5 | R@10 | R@25 | median rank |", "|---|---|---|---|---|---|---|"]


def report(bench):
    arena, lessons = (bench.corpus(name, *heads.CORPORA[name]) for name in (heads.ARENA, heads.PAIRS))
    packs = {"compact": bench.pack, **{name: bench.trained(name, lessons, flags) for name, flags in ROWS.items()}}
    lines = [*HEAD, *bench.rows(arena, packs, "--floor", "chance", "--floor", "tag-random"),
             *bench.rows(arena, {"compact": bench.pack}, "--ask", "voice", "--ask", "picture")]
    other = bench.corpus("arena-seed-1", "--seed", 1, "--train", 10, "--test", 162)
    lines += ["", "Another generator seed:", "", *HEAD, *bench.rows(other, {"compact": bench.pack})]
    null = bench.corpus("null", "--null")
    for learnt, asked, title in ((null, null, "Sides that know nothing of each other"), (lessons, arena, "Arena")):
        leaks = {name: bench.trained(f"{learnt.name} {name}", learnt, [*HEADS, "--leak-free", switch]) for name, switch in LEAKS.items()}
        lines += ["", f"{title}, trained on:", "", *HEAD, *bench.rows(asked, leaks)]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="where corpora, rows and the table lie")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target" / "release" / "undertone")
    parser.add_argument("--pack", type=pathlib.Path, default=ROOT / "models" / "compact")
    arguments = parser.parse_args()
    text = "\n".join(report(Bench(arguments.program, arguments.work, arguments.pack))) + "\n"
    (arguments.work / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
