"""Measures Undertone against other implementations of the same work: `make bench`.

    python3 bench/run.py [CASE ...]         all cases, or those whose names contain one of these words; =CASE is that one alone
        --rounds N      rounds a case (7)
        --threads N     threads of every worker (as many as processors); with 1, processor time means something on a
                        machine that is doing other work too
        --json FILE     where the figures go besides the table (target/bench/figures.json)
        --device cuda   on NVIDIA's GPU instead of the CPU, against PyTorch there
        --tf32          convolutions on the GPU may round to TF32, as both do where nobody forbids it; else f32 is f32
        --tolerance X   how far outputs may differ, instead of what is said below
        --worker FILE   our worker, built elsewhere: the program `ours` that cargo leaves in target/release/deps

A worker prepares a case, writes its outputs, prints `ready`, and runs the case once for each line it is sent, answering
with the milliseconds. The outputs of all workers of a case must agree before anything is timed. Then the workers run in
turn, round after round, so that whatever else the machine does hits all alike; medians and the ratio of the medians are
printed, and beside the time on the clock the processor time of all threads and the largest memory of the process. On a
GPU inputs and outputs stay there, and a run ends when the GPU has done its work.

The peers are installed into target/bench/venv with pip. UNDERTONE_BENCH_PYTHON names an interpreter that has torch,
pytorchvideo, torchvggish, onnx and onnxruntime instead, UNDERTONE_BENCH_TENSORFLOW one that has tensorflow 2.15 and
spleeter; what cannot be had is left out and said to be. UNDERTONE_BENCH_CLIP names a video for the query.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "target" / "bench"

# max|a - b| / max|b| of every output. cuDNN chooses algorithms for f32 that round more than a plain sum does, and TF32 keeps
# 10 bits of each factor. A gradient that has come back through fifty layers is looser in f32: a ReLU whose input is zero but
# for rounding passes it here and stops it there.
TOLERANCE = {"cpu": 1e-4, "cuda": 1e-3, "tf32": 1e-2}
TOLERANCES = {"train-slowfast": 1e-2}

# What, the case by name, and who runs it besides Undertone.
CASES = [
    ("SlowFast R50, 8 + 64 frames, 224 x 224", "slowfast", ["torch", "onnx"]),
    ("VGGish, 72 patches", "vggish", ["torch", "onnx"]),
    ("Spleeter, one stem, 11.9 s", "spleeter", ["torch", "onnx", "tensorflow"]),
    ("3 x 3, 64 to 64, 8 x 56 x 56", "layer:1,64,8,56,56-64-1,3,3-1,1", ["torch", "onnx", "candle"]),
    ("3 x 3, 256 to 256, 8 x 14 x 14", "layer:1,256,8,14,14-256-1,3,3-1,1", ["torch", "onnx", "candle"]),
    ("3 x 3 stride 2, 128 to 128, 8 x 56 x 56", "layer:1,128,8,56,56-128-1,3,3-1,2", ["torch", "onnx", "candle"]),
    ("1 x 1, 64 to 256, 8 x 56 x 56", "layer:1,64,8,56,56-256-1,1,1-1,1", ["torch", "onnx", "candle"]),
    ("3 frames, 1024 to 256, 8 x 14 x 14", "layer:1,1024,8,14,14-256-3,1,1-1,1", ["torch", "onnx"]),
    ("5 x 7 x 7 stride 2, 3 to 8, 64 x 224 x 224", "layer:1,3,64,224,224-8-5,7,7-1,2", ["torch", "onnx"]),
    ("5 x 5 stride 2, 32 to 64, 128 x 256", "layer:1,32,1,128,256-64-1,5,5-1,2", ["torch", "onnx", "candle"]),
    ("product of two 1024 x 1024", "matmul:1024", ["torch", "onnx"]),
    ("top 100 of 100,000 windows", "top-k:100000", ["numpy"]),
    ("top 100 of 1,000,000 windows", "top-k:1000000", ["numpy"]),
    ("training step, heads, 16 pairs", "train-heads", ["torch"]),
    ("training step, SlowFast, 112 x 112", "train-slowfast", ["torch"]),
    ("query, 32 s of 1080p, compact pack", "query", []),
    ("query, 32 s of 1080p, the papers' sizes", "query-full", []),
    ("indexing a minute of music, compact pack", "index", []),
]

PIP = ["torch", "torchvision", "numpy", "onnx", "onnxruntime", "safetensors"]
PIP_ALONE = ["pytorchvideo==0.1.5", "torchvggish==0.2", "fvcore", "iopath"]
PIP_HELP = ["portalocker", "tqdm", "yacs", "pyyaml", "tabulate", "termcolor", "parameterized", "soundfile"]
PIP_TENSORFLOW = ["tensorflow-cpu==2.15.*", "numpy<2", "norbert"]
PIP_TENSORFLOW_ALONE = ["spleeter==2.4.2"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def venv(name, packages, alone):
    """The interpreter of a virtual environment with these packages, or None."""
    folder = TARGET / name
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = folder / "installed"
    wanted = " ".join(packages + alone)
    if done.exists() and done.read_text() == wanted:
        return str(python)
    say(f"installing {wanted}")
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *packages], check=True, stdout=sys.stderr)
        subprocess.run([*pip, "--no-deps", *alone], check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"left out: {error}")
        return None
    done.write_text(wanted)
    return str(python)


def interpreters(engines):
    """Who can run the peers that are asked for."""
    found = {}
    if engines & {"torch", "onnx", "numpy"}:
        python = os.environ.get("UNDERTONE_BENCH_PYTHON") or venv("venv", PIP + PIP_HELP, PIP_ALONE)
        found |= {engine: python for engine in ("torch", "onnx", "numpy")}
    if "tensorflow" in engines:
        found["tensorflow"] = os.environ.get("UNDERTONE_BENCH_TENSORFLOW") or venv(
            "venv-tensorflow", PIP_TENSORFLOW, PIP_TENSORFLOW_ALONE
        )
    return found


def build(device):
    """The path of our worker."""
    command = ["cargo", "build", "--release", "--bench", "ours", "--message-format=json-render-diagnostics"]
    command += ["--features", "cuda"] if device == "cuda" else []
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    made = [json.loads(line) for line in lines if line.startswith("{")]
    return [one["executable"] for one in made if one.get("target", {}).get("name") == "ours" and one.get("executable")][-1]


def gpu():
    """Name, driver and memory of the GPU."""
    asked = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        return str(error)


class NotMeasured(Exception):
    """Ours failed, or two workers gave different outputs and their times mean nothing."""


class Worker:
    def __init__(self, engine, command, case, folder, options):
        self.engine = engine
        self.on_cpu = options.device == "cpu"
        self.folder = Path(folder) / engine
        self.folder.mkdir()
        self.errors = open(self.folder / "stderr", "w+")
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        names = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "UNDERTONE_BENCH_THREADS"]
        environment |= {name: str(options.threads) for name in names}
        if not (self.on_cpu or options.tf32):
            # cuBLAS and cuDNN read it, whoever calls them.
            environment["NVIDIA_TF32_OVERRIDE"] = "0"
        # A setting that helps old builds of OpenBLAS slows a current one.
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [*command, engine, case, str(self.folder), options.device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
        )
        self.milliseconds, self.processor = [], []

    def line(self):
        """The next answer, or None when the worker gave up."""
        while True:
            line = self.process.stdout.readline()
            if not line:
                return None
            if line.strip() == "ready" or line.strip().replace(".", "", 1).replace("e-", "", 1).isdigit():
                return line.strip()

    def complaint(self):
        """All it said of a failure; the reason is in the last line."""
        self.errors.seek(0)
        return self.errors.read().strip() or "no word why"

    def run(self):
        before = self.processor_ms()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        answer = self.line()
        if answer is None:
            raise NotMeasured(f"{self.engine} stopped: {self.complaint()}")
        if self.on_cpu:
            # Threads of some peers spin for a while after the work.
            time.sleep(0.25)
        after = self.processor_ms()
        self.milliseconds.append(float(answer))
        if before is not None:
            self.processor.append(after - before)

    def processor_ms(self):
        """Processor time of all threads so far; None where the system does not tell.

        The finer figure leaves out threads that have ended, the other one is in ticks.
        """
        try:
            process = Path(f"/proc/{self.process.pid}")
            tasks = (process / "task").iterdir()
            living = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6
            ticks = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
            all_ever = sum(map(int, ticks)) * 1e3 / os.sysconf("SC_CLK_TCK")
            return max(living, all_ever)
        except OSError:
            return None

    def memory_mib(self):
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return None
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def outputs(self):
        return {path.stem: path for path in sorted(self.folder.glob("*.npy"))}

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def difference(python, ours, theirs):
    """The largest max|a - b| / max|b| of two workers' outputs. One of the interpreters has numpy for it."""
    script = (
        "import sys, numpy as np\n"
        "worst = 0.0\n"
        "for a, b in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        "    a, b = np.load(a), np.load(b)\n"
        "    if a.shape != b.shape and a.size == b.size and a.ndim == 5:\n"
        "        a = a.swapaxes(1, 2).reshape(b.shape)\n"
        "    assert a.shape == b.shape, (a.shape, b.shape)\n"
        "    worst = max(worst, float(np.abs(a - b).max() / np.abs(b).max()))\n"
        "print(worst)\n"
    )
    if ours.keys() != theirs.keys():
        raise NotMeasured(f"outputs {list(ours)} and {list(theirs)} cannot be compared")
    paths = [str(path) for name in ours for path in (ours[name], theirs[name])]
    return float(subprocess.run([python, "-c", script, *paths], check=True, stdout=subprocess.PIPE, text=True).stdout)


def tolerance(case, options):
    usual = TOLERANCE["tf32" if options.tf32 else options.device]
    return options.tolerance or max(usual, TOLERANCES.get(case, 0))


def measure(name, case, commands, python, options):
    """One row."""
    row = {"name": name, "case": case, "workers": {}}
    with tempfile.TemporaryDirectory(dir=TARGET) as folder, contextlib.ExitStack() as open_workers:

        def start(engine, command):
            worker = Worker(engine, command, case, folder, options)
            open_workers.callback(worker.close)
            return worker

        # A GPU machine has memory enough to prepare all at once.
        started = (start(engine, command) for engine, command in commands)
        workers = []
        for worker in started if options.device == "cpu" else list(started):
            if worker.line() == "ready":
                workers.append(worker)
            elif worker.engine == "undertone":
                raise NotMeasured(worker.complaint())
            else:
                say(f"  {worker.engine} left out: {worker.complaint().splitlines()[-1]}")
        ours = workers[0]
        for worker in workers[1:]:
            error = difference(python, ours.outputs(), worker.outputs())
            row["workers"].setdefault(worker.engine, {})["difference"] = error
            if not error <= tolerance(case, options):
                raise NotMeasured(f"{worker.engine} and undertone differ by {error:.1e}")
        for _ in range(options.rounds):
            for worker in workers:
                worker.run()
        for worker in workers:
            figures = row["workers"].setdefault(worker.engine, {})
            figures["ms"] = worker.milliseconds
            figures["median_ms"] = statistics.median(worker.milliseconds)
            figures["least_ms"] = min(worker.milliseconds)
            if worker.processor:
                figures["processor_median_ms"] = statistics.median(worker.processor)
            figures["memory_mib"] = worker.memory_mib()
    return row


def table(rows):
    print()
    print(f"{'work':44} {'who':11} {'median ms':>10} {'least ms':>10} {'cpu ms':>10} {'MiB':>7} {'ratio':>6} {'cpu':>6}")
    for row in rows:
        own = row["workers"]["undertone"]
        for engine in sorted(row["workers"], key=lambda engine: engine != "undertone"):
            figures = row["workers"][engine]
            ratios = []
            for figure in ("median_ms", "processor_median_ms"):
                known = engine != "undertone" and figure in own and figure in figures
                ratios.append(f"{figures[figure] / own[figure]:.2f}" if known else "")
            print(
                f"{row['name'] if engine == 'undertone' else '':44} {engine:11} {figures['median_ms']:10.2f} "
                f"{figures['least_ms']:10.2f} {figures.get('processor_median_ms', float('nan')):10.2f} "
                f"{figures['memory_mib'] or 0:7.0f} {ratios[0]:>6} {ratios[1]:>6}"
            )
    print("\nratio, cpu: how many times as long as Undertone by the clock, and by processor time of all threads (medians)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path, default=TARGET / "figures.json")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--tolerance", type=float)
    parser.add_argument("--worker", type=Path)
    options = parser.parse_args()
    if options.tf32 and options.device == "cpu":
        parser.error("--tf32 is for --device cuda")
    words = options.words or [""]
    cases = [case for case in CASES if any(word == f"={case[1]}" or word in case[1] for word in words)]
    if options.device == "cuda":
        # Searching is the CPU's, and candle's own convolution is what ours goes through there.
        cases = [(name, case, [one for one in engines if one == "torch"]) for name, case, engines in cases if "top-k" not in case]
    TARGET.mkdir(parents=True, exist_ok=True)
    ours = str(options.worker.resolve()) if options.worker else build(options.device)
    pythons = interpreters({engine for _, _, engines in cases for engine in engines})
    peers = str(Path(__file__).with_name("peers.py"))
    machine = {"processors": os.cpu_count(), "machine": platform.machine(), "system": platform.platform()}
    if options.device == "cuda":
        machine |= {"gpu": gpu(), "tf32": options.tf32}
    rows, failed = [], False
    figures = {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "rounds": options.rounds, "threads": options.threads}
    figures |= {"machine": machine, "rows": rows}
    for name, case, engines in cases:
        say(f"{name}")
        commands = [("undertone", [ours])]
        for engine in engines:
            if engine == "candle":
                commands.append((engine, [ours]))
            elif pythons.get(engine):
                commands.append((engine, [pythons[engine], peers]))
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        try:
            row = measure(name, case, commands, next(filter(None, pythons.values()), None), options)
            rows.append(row | {"load_before": load})
        except NotMeasured as error:
            say(f"  not measured: {error}")
            failed = True
        options.json.write_text(json.dumps(figures, indent=1))
    table(rows)
    print(f"{options.threads} threads on {os.cpu_count()} processors; all figures and the load before each row in {options.json}")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
