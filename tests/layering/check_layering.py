#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks who may include whom, and the other rules of a source tree that no compiler checks.

Usage: check_layering.py [ROOT]      prints one line a violation, exits 1 when there are any.

The tables below are the rules. A new folder, or a library that nothing used before, gets a line here.
"""
import re
import sys
from pathlib import Path

# Folder -> what its files may include beside themselves. A folder links no more than that.
LAYERS = {
    "src/core": [],
    "src/hdf5": ["src/core"],
    "kernels": ["src/core"],
    "comm": ["src/core", "kernels"],
    "data": ["src/core", "src/hdf5"],
    "src/nn": ["src/core", "kernels"],
    "src/optim": ["src/core", "kernels"],
    "src/precision": ["src/core", "kernels"],
    "src/checkpoint": ["src/core", "src/hdf5"],
    "src/models": ["src/core", "src/nn"],
    "src/train": ["src", "kernels", "comm", "data"],
    "launch": ["src", "kernels", "comm", "data"],
}
# These may include everything: nothing depends on them.
FREE = ["tests", "benchmarks", "docs"]

# Header of a library (regular expression) -> the folders whose files may include it; "" is everywhere.
THIRD_PARTY = [
    (r"fmt/.*", [""]),
    (r"(x86|imm|nmm|smm|cpu)\w*intrin\.h|cpuid\.h", ["src/core", "kernels/cpu", "comm/mpi", "src/checkpoint"]),
    (r"omp\.h", ["kernels/cpu"]),
    (r"(oneapi/dnnl/.*|dnnl.*)", ["kernels/cpu"]),
    (r"(cublasLt|cudnn)\w*\.h|mma\.h|cuda_(fp16|bf16)\.h|cooperative_groups.*|cub/.*", ["kernels/cuda"]),
    (r"cuda\w*\.h", ["src/core", "kernels/cuda"]),
    (r"nvtx3/\w+\.h", ["src/core"]),
    (r"mpi\.h|mpi-ext\.h", ["comm/mpi", "comm/nccl"]),
    (r"nccl\w*\.h", ["comm/nccl"]),
    (r"hdf5\w*\.h|H5\w+\.h", ["src/hdf5"]),
    (r"zlib\.h|jpeglib\.h|jerror\.h|png\.h", ["data/formats"]),
    (r"toml\+\+/.*", ["src/train"]),
    (r"nlohmann/.*", ["src/checkpoint", "src/train", "launch"]),
    (r"google/protobuf/.*", ["src/train"]),
    (r"CLI/.*", ["launch"]),
    (r"hwloc.*\.h", ["launch"]),
    (r"(gtest|gmock|benchmark)/.*", []),
]
POSIX = (r"(sys|netinet|arpa|linux)/\w+\.h|"
         r"(unistd|fcntl|sched|signal|stdlib|string|poll|pthread|netdb|dlfcn|errno|time)\.h")
STANDARD = r"[a-z_0-9]+"  # the standard library's headers alone have no ending

# Where a choice between backends may be compiled in, beside files named factory.
BACKEND_CHOICE = ["src/core/", "kernels/kernel.hpp", "kernels/cuda/"]
BACKEND_MACRO = r"\b(MPDIST_\w+|__CUDACC__)\b"

SPDX = "SPDX-License-Identifier: Apache-2.0"
CODE = {".hpp", ".cpp", ".cu", ".cuh"}
SCRIPTS = {".py", ".sh", ".cmake"}
README_LINES = 60


def within(path, folders):
    return any(folder == "" or path == folder or path.startswith(folder + "/") for folder in folders)


def layer_of(path):
    return next((folder for folder in LAYERS if within(path, [folder])), None)


def include_problem(path, layer, header, quoted, root):
    """What is wrong with one #include of a file of `layer`, or None."""
    if quoted:
        if not (root / header).is_file():
            return f'"{header}" is no file of this tree: include paths start at its root'
        if within(header, [layer] + LAYERS[layer]):
            return None
        return f'{layer} may not include "{header}"; allowed: {", ".join([layer] + LAYERS[layer])}'
    for pattern, folders in THIRD_PARTY:
        if re.fullmatch(pattern, header):
            if within(path, folders):
                return None
            return f"<{header}> belongs under {' and '.join(folders) or 'tests and benchmarks'} alone"
    if re.fullmatch(STANDARD, header) or re.fullmatch(POSIX, header):
        return None
    return f"<{header}> is of no known library: tests/layering/check_layering.py lists who may use which"


def strip_comments(text):
    """Comments become spaces, lines stay."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group())
    return re.sub(r"//[^\n]*|/\*.*?\*/", blank, text, flags=re.S)


def code_problems(path, text, root):
    layer = layer_of(path)
    if layer is None:
        return
    may_choose = path.startswith(tuple(BACKEND_CHOICE)) or Path(path).stem == "factory"
    for number, line in enumerate(strip_comments(text).splitlines(), 1):
        include = re.match(r'\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', line)
        if include:
            problem = include_problem(path, layer, include[1] or include[2], include[2] is not None, root)
            if problem:
                yield number, problem
        if re.match(r"\s*#\s*(el)?if", line) and re.search(BACKEND_MACRO, line) and not may_choose:
            yield number, "a backend is chosen by #if in src/core, kernels/kernel.hpp and factories only"


def first_line_problem(path, text):
    lines = text.splitlines()
    first = 1 if lines and lines[0].startswith("#!") else 0
    mark = "// " if Path(path).suffix in CODE else "# "
    if len(lines) <= first or lines[first] != mark + SPDX:
        return first + 1, f"expected the line '{mark}{SPDX}'"
    return None


def file_problems(path, text, root):
    suffix, name = Path(path).suffix, Path(path).name
    if suffix in CODE | SCRIPTS or name == "CMakeLists.txt":
        problem = first_line_problem(path, text)
        if problem:
            yield problem
    if suffix in CODE:
        yield from code_problems(path, text, root)
    if suffix == ".hpp" and "#pragma once" not in text:
        yield 1, "a header without #pragma once"
    if name == "README.md" and len(text.splitlines()) > README_LINES:
        yield README_LINES + 1, f"a folder's README has at most {README_LINES} lines, found {len(text.splitlines())}"


def tree_problems(root):
    """(path, line, problem) of everything below the source folders of `root`."""
    for top in sorted({folder.split("/")[0] for folder in LAYERS} | set(FREE)):
        for file in sorted((root / top).rglob("*")):
            path = file.relative_to(root).as_posix()
            if not file.is_file() or "__pycache__" in path:
                continue
            is_text = file.suffix in CODE | SCRIPTS | {".md"} or file.name == "CMakeLists.txt"
            if is_text:
                for line, problem in file_problems(path, file.read_text(encoding="utf-8"), root):
                    yield path, line, problem
            if file.suffix in CODE and layer_of(path) is None and not within(path, FREE):
                yield path, 1, "this folder is in no layer: add it to the table of tests/layering/check_layering.py"
    for folder in LAYERS:
        if (root / folder).is_dir() and not (root / folder / "README.md").is_file():
            yield folder, 1, "a folder without a README.md"


def main(arguments):
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    problems = list(tree_problems(root))
    for path, line, problem in problems:
        print(f"{path}:{line}: {problem}")
    print(f"layering: {len(problems)} violations below {root}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
