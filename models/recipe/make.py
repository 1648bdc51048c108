"""The one entry of the recipe: python models/recipe/make.py --work DIR [demo|data|arena|separator|vggish|ears|eye|pack|heads|evaluate|all]

Everything is made from nothing: speech by espeak-ng, flite and festival, music by the recipe's composer through fluidsynth and the
distribution's soundfonts, pictures by the recipe's renderer. Debian 12 packages it calls:
espeak-ng flite festival festvox-us-slt-hts festvox-kallpc16k fluidsynth fluid-soundfont-gm timgm6mb-soundfont opl3-soundfont
musescore-general-soundfont-small ffmpeg sox. The corpora and the heads are made by the program itself, which must be built
(cargo build --release). Seeds are fixed. Work files go under --work, results into assets/demo and models/compact.
"""

import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
STEPS = ["demo", "data", "arena", "separator", "vggish", "ears", "eye", "pack", "heads", "evaluate"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", nargs="?", default="all", choices=[*STEPS, "all"])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for everything that is not a result")
    parser.add_argument("--midi", type=pathlib.Path, help="a folder of MIDI compositions to train the separator on as well")
    parser.add_argument("--media", type=pathlib.Path, help="real media to evaluate on, never to train on")
    parser.add_argument("--demo", type=pathlib.Path, default=ROOT / "assets" / "demo")
    parser.add_argument("--pack", type=pathlib.Path, default=HERE.parent / "compact")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target" / "release" / "undertone", help="undertone itself")
    parser.add_argument("--separator-steps", type=int, default=7000, help="training steps of the separator, each about a second of one core")
    parser.add_argument("--ear-steps", type=int, default=3000, help="training steps of each lesson of an ear, each about 1.3 seconds of one core")
    parser.add_argument("--eye-minutes", type=float, default=45.0, help="training time of SlowFast")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    for step in STEPS if arguments.step == "all" else [arguments.step]:
        run(step, arguments)


def run(step, arguments):
    """One step; each imports only what it needs, so that the demo runs without torch."""
    if step == "demo":
        import demo
        demo.make(arguments.demo, arguments.work / "demo")
        print(f"{demo.check(arguments.demo)} bytes in {arguments.demo}")
    elif step == "data":
        import corpus
        corpus.make(arguments.work / "corpus", arguments.midi, arguments.seed)
    elif step == "separator":
        import corpus
        import heads
        import train
        corpus.adopt(arguments.work / "corpus", arguments.work / heads.MORE, arguments.seed)
        train.train(arguments.work, arguments.separator_steps, arguments.threads, arguments.seed)
    elif step == "vggish":
        import listen
        listen.train(arguments.work, arguments.seed)
    elif step == "arena":
        import heads
        heads.corpora(arguments.program, arguments.work)
    elif step == "ears":
        import hear
        hear.train(arguments.work, arguments.program, arguments.pack, arguments.seed, arguments.ear_steps, arguments.threads)
    elif step == "eye":
        import see
        see.train(arguments.work, arguments.pack, arguments.seed, arguments.eye_minutes, arguments.threads)
    elif step == "heads":
        import heads
        heads.train(arguments.program, arguments.work, arguments.pack)
    elif step == "pack":
        import pack
        pack.make(arguments.pack, arguments.work, arguments.seed)
    else:
        import evaluate
        evaluate.report(arguments.pack, arguments.work, arguments.media, arguments.seed)


if __name__ == "__main__":
    main()
