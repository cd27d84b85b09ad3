#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The gate on GPU kernels: no spills and no local memory, on every architecture asked for; prints registers per kernel.

    check_registers.py sm_80,sm_90 add.cu.o cast.cu.o ...
    check_registers.py any add.cu.o cast.cu.o ...            whatever they were compiled for

reads what `nvcc -Xptxas=-v` said when each object was compiled (OBJECT.ptxas, kept by keep_ptxas_output.sh). A warning of
ptxas, an object without its file and a kernel that lacks an architecture are failures too; so is one of an unnamed
namespace (or of its types): nvcc makes that name from the folder that it runs in, and a compiler cache which serves several
folders then gives host code and PTX different names.
"""
import argparse
import collections
import pathlib
import re
import subprocess
import sys

# Part of a demangled name: why this kernel may use local memory. An entry that no kernel needs is a failure.
JUSTIFIED = {}

ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'")
FUNCTION = re.compile(r"Function properties for (\w+)")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
COMMON = re.compile(r"mpdist::kernels::cuda::|mpdist::")


class Use:
    """What one function takes on one architecture."""

    def __init__(self):
        self.registers, self.shared, self.stack, self.spills = 0, 0, 0, 0

    def join(self, other):
        """The most of both: a kernel of a header is in several objects."""
        for key, value in vars(other).items():
            setattr(self, key, max(getattr(self, key), value))

    def is_clean(self):
        return self.stack == 0 and self.spills == 0


def demangled(names):
    done = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True)
    return dict(zip(names, done.stdout.splitlines()))


def short(name):
    """A demangled name without its parameters and without the namespaces that all kernels share."""
    name = COMMON.sub("", name)
    name = re.sub(r"^void ", "", name)
    depth = 0
    for place, letter in enumerate(name):
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "(" and depth == 0:
            return name[:place]
    return name


def parse(text):
    """{mangled name: {architecture: Use}} and the lines that are warnings."""
    uses = collections.defaultdict(lambda: collections.defaultdict(Use))
    warnings, entry, function, architecture = [], None, None, None
    for line in text.splitlines():
        if match := ENTRY.search(line):
            entry, architecture = match.groups()
        elif match := FUNCTION.search(line):
            function = match[1]
        elif match := FRAME.search(line):
            use = uses[function][architecture]
            use.stack, use.spills = int(match[1]), int(match[2]) + int(match[3])
        elif match := USED.search(line):
            use = uses[entry][architecture]
            use.registers = int(match[1])
            use.shared = int(SHARED.search(line)[1]) if SHARED.search(line) else 0
        elif "warning" in line:
            warnings.append(line.strip())
    return uses, warnings


def read(objects):
    """All functions of the objects, and what is wrong with their files."""
    uses, wrong = {}, []
    for name in objects:
        log = pathlib.Path(name + ".ptxas")
        if not log.is_file():
            wrong.append("%s: %s is missing: was it compiled through keep_ptxas_output.sh?" % (name, log.name))
            continue
        text = log.read_text(encoding="utf-8")
        if "ptxas info" not in text:
            wrong.append("%s: ptxas said nothing: was it compiled with -Xptxas=-v?" % log)
        found, warnings = parse(text)
        for function, by_architecture in found.items():
            for architecture, use in by_architecture.items():
                uses.setdefault(function, {}).setdefault(architecture, Use()).join(use)
        wrong += ["%s: %s" % (log, warning) for warning in warnings]
    return uses, wrong


def judge(name, by_architecture, architectures, justified):
    """What is wrong with a function; takes what excuses it out of `justified`."""
    missing = [a for a in architectures if a not in by_architecture]
    wrong = ["%s: not compiled for %s" % (name, ", ".join(missing))] if missing else []
    for architecture, use in sorted(by_architecture.items()):
        if use.is_clean():
            continue
        excuses = [part for part in JUSTIFIED if part in name]
        justified.difference_update(excuses)
        if not excuses:
            wrong.append("%s on %s: %d bytes of stack, %d bytes spilled" % (name, architecture, use.stack, use.spills))
    return wrong


def table(uses, names, architectures):
    """A line for each kernel."""
    lines = ["%s  registers (bytes of shared memory)" % "  ".join("%14s" % a for a in architectures)]
    for mangled in sorted(uses, key=lambda m: short(names[m])):
        cells = [uses[mangled].get(a, Use()) for a in architectures]
        text = "  ".join("%5d %8s" % (u.registers, "(%d)" % u.shared if u.shared else "") for u in cells)
        lines.append("%s  %s" % (text, short(names[mangled])))
    return lines


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architectures", help="separated by commas; any: as compiled")
    parser.add_argument("objects", nargs="+")
    parser.add_argument("--output", type=pathlib.Path, help="a file for the table")
    options = parser.parse_args(arguments)
    uses, wrong = read(options.objects)
    architectures = options.architectures.split(",")
    if architectures == ["any"]:
        architectures = sorted({a for by_architecture in uses.values() for a in by_architecture})
    names, unused = demangled(sorted(uses)), set(JUSTIFIED)
    for mangled, by_architecture in uses.items():
        if "_GLOBAL__N_" in mangled:
            wrong.append("%s: a name of an unnamed namespace" % short(names[mangled]))
        wrong += judge(short(names[mangled]), by_architecture, architectures, unused)
    wrong += ["no kernel needs the excuse %r" % part for part in sorted(unused)]
    if not uses:
        wrong.append("no kernel found")
    lines = table(uses, names, architectures)
    lines.append("%d kernels, %d objects, %d failures" % (len(uses), len(options.objects), len(wrong)))
    lines += ["FAILED: " + line for line in wrong]
    print("\n".join(lines))
    if options.output:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
