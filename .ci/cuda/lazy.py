"""Libraries that stand in for CUDA's when a program is linked, so that it starts where CUDA is not.

    python3 lazy.py WHEELS OUT      writes OUT/lib*.a; needs nm, gcc and ar

candle links CUDA's libraries hard: a program so linked does not start on a computer without them. Each archive made here
defines every function of one of the libraries as a jump through a slot. Before main, a constructor opens the real library
(in the folder `cuda` beside the program, else where the system looks) and fills the slots. Where it is not there the slots
keep a function that answers "no device", and its name is left in the environment variable UNDERTONE_CUDA_MISSING, which
the program reads before it calls anything of CUDA (src/device.rs).
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

# Name to link, name to open, and the file whose functions it has. In the order in which they are opened: the driver
# first, for without it nothing else is of use.
LIBRARIES = [
    ("cuda", "libcuda.so.1", "cu13/include/cuda.h"),
    ("cudart", "libcudart.so.13", "cu13/lib/libcudart.so.13"),
    ("nvrtc", "libnvrtc.so.13", "cu13/lib/libnvrtc.so.13"),
    ("cublasLt", "libcublasLt.so.13", "cu13/lib/libcublasLt.so.13"),
    ("cublas", "libcublas.so.13", "cu13/lib/libcublas.so.13"),
    ("curand", "libcurand.so.10", "cu13/lib/libcurand.so.10"),
    ("cudnn", "libcudnn.so.9", "cudnn/lib/libcudnn.so.9"),
]

# Constructors below 101 belong to the C library; those without a number, nvcc's among them, come after all of these.
FIRST_PRIORITY = 101

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MISSING "UNDERTONE_CUDA_MISSING"

/* CUDA_ERROR_NO_DEVICE. */
static int no_device(void) { return 100; }

static const char *const names[] = { %(names)s };
enum { COUNT = sizeof names / sizeof *names };
__attribute__((visibility("hidden"))) void *slots_of_%(library)s[COUNT] = { [0 ... COUNT - 1] = (void *)no_device };

static void *open_library(void) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - sizeof "/cuda/%(file)s");
    if (length > 0) {
        path[length] = 0;
        char *slash = strrchr(path, '/');
        if (slash) {
            strcpy(slash, "/cuda/%(file)s");
            void *beside = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
            if (beside) return beside;
        }
    }
    return dlopen("%(file)s", RTLD_LAZY | RTLD_LOCAL);
}

__attribute__((constructor(%(priority)d))) static void fill(void) {
    if (%(is_first)d) unsetenv(MISSING);
    if (getenv(MISSING)) return;
    void *library = open_library();
    if (!library) {
        setenv(MISSING, "%(file)s", 1);
        return;
    }
    for (int at = 0; at < COUNT; at++) {
        void *function = dlsym(library, names[at]);
        if (function) slots_of_%(library)s[at] = function;
    }
}
"""

JUMPS = {
    "x86_64": "jmp *slots_of_{library}+{offset}(%rip)",
    "aarch64": "adrp x16, slots_of_{library}+{offset}; ldr x16, [x16, :lo12:slots_of_{library}+{offset}]; br x16",
}


def functions(file):
    """Names of a header's or a library's functions. A name too many does no harm: its slot stays empty."""
    if file.suffix == ".h":
        text = file.read_text(errors="replace")
        found = set(re.findall(r"\bcu[A-Z]\w*", text))
        per_thread = re.findall(r"__CUDA_API_PT(SZ|DS)\((\w+)\)", text)
        return sorted(found | {f"{name}_pt{kind.lower()}" for kind, name in per_thread})
    listed = subprocess.run(["nm", "-D", "--defined-only", file], check=True, capture_output=True, text=True).stdout
    names = [line.split("@")[0].split()[-1] for line in listed.splitlines() if " T " in line]
    return sorted(name for name in names if re.fullmatch(r"(__)?(cu|nvrtc)\w+", name))


def build(library, file, source, priority, out):
    """OUT/lib<library>.a, whose functions jump into `file`."""
    names = functions(source)
    if not names:
        sys.exit(f"{source} has no functions")
    text = SOURCE % {
        "names": ", ".join(f'"{name}"' for name in names),
        "library": library,
        "file": file,
        "priority": priority,
        "is_first": priority == FIRST_PRIORITY,
    }
    machine = subprocess.run(["gcc", "-dumpmachine"], check=True, capture_output=True, text=True).stdout.split("-")[0]
    if machine not in JUMPS:
        sys.exit(f"no jump is known for {machine}; link CUDA hard with cargo build --features cuda")
    jumps = [".text"]
    for at, name in enumerate(names):
        jump = JUMPS[machine].format(library=library, offset=8 * at)
        jumps += [f".globl {name}", f".type {name}, %function", f"{name}: {jump}"]
    with tempfile.TemporaryDirectory() as folder:
        c, s = Path(folder, f"{library}.c"), Path(folder, f"{library}_jumps.s")
        c.write_text(text)
        s.write_text("\n".join([*jumps, '.section .note.GNU-stack,"",%progbits', ""]))
        # One object: whoever needs a jump gets the constructor too.
        parts = [str(Path(folder, f"{part.stem}.o")) for part in (c, s)]
        for part, to in zip((c, s), parts):
            subprocess.run(["gcc", "-O2", "-fPIC", "-c", part, "-o", to], check=True)
        whole = str(Path(folder, f"lib{library}_lazy.o"))
        subprocess.run(["ld", "-r", *parts, "-o", whole], check=True)
        archive = out / f"lib{library}.a"
        archive.unlink(missing_ok=True)
        subprocess.run(["ar", "crs", archive, whole], check=True)


def main():
    wheels, out = Path(sys.argv[1]), Path(sys.argv[2])
    for at, (library, file, source) in enumerate(LIBRARIES):
        build(library, file, wheels / source, FIRST_PRIORITY + at, out)


if __name__ == "__main__":
    main()
