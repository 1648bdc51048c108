"""What the program itself does for the pack: it makes the corpora, and trains MRCMV's heads.

Ears and eye are taught with the training split of *arena*, whose test split measures everything, the ears with a larger one of another
seed besides. The heads learn with a third corpus of the same generator: of videos that they were taught with, ears and eye tell more than
they will of a stranger's, and heads would learn to trust them too far. The trained heads go into the pack in half precision, with their
checksum; everything else of the pack stays as it is.
"""

import hashlib
import json
import shutil
import subprocess

from safetensors.torch import load_file, save_file

import provenance

# Folders of corpora, and what `corpus generate` is told for each beside its own numbers.
ARENA, MORE, PAIRS = "arena", "more", "pairs"
CORPORA = {ARENA: (), MORE: ("--seed", "3", "--train", "700", "--test", "2"), PAIRS: ("--seed", "2", "--train", "360", "--test", "2")}
# A few epochs of the contrastive objective: there are more weights than so many videos can bind.
TRAINING = ("--scope heads --start pack --objective contrastive --optimizer adamw --rate 5e-5 --weight-decay 0.1 --schedule cosine "
            "--norm unit --lambda 0 --cuts 1 --renderings 1 --redraw never --batch 64 --epochs 6").split()
# Where the pack is kept whose heads are first weights.
FIRST = "first"


def corpora(program, work):
    for name, flags in CORPORA.items():
        subprocess.run([program, "corpus", "generate", "--out", work / name, *flags], check=True)


def train(program, work, pack):
    """Heads from the first weights that `pack` holds, which are kept for the rows of the table."""
    first, out = work / FIRST, work / "heads"
    if not first.exists():
        if provenance.FRESH not in provenance.said(pack):
            raise RuntimeError(f"the heads of {pack} are no first weights; run the step pack before the step heads")
        shutil.copytree(pack, first)
    subprocess.run([program, "train", "--corpus", work / PAIRS, "--pack", first, "--out", out, *TRAINING, "--resume"], check=True)
    adopt(json.loads((out / "pack.json").read_text())["networks"]["mrcmv"], out, pack)


def adopt(entry, trained, pack):
    """Puts the network `entry` of the pack `trained` into `pack`."""
    path = pack / "mrcmv.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(trained / entry["file"]).items()}, path)
    path.chmod(0o644)
    manifest = json.loads((pack / "pack.json").read_text())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest["networks"]["mrcmv"] = {"config": entry["config"], "file": path.name, "sha256": digest}
    manifest["provenance"] = manifest["provenance"].replace(provenance.FRESH, provenance.FINISHED)
    (pack / "pack.json").write_text(json.dumps(manifest, indent=1) + "\n")
