#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation of each rule in a small clean tree: check_layering must name it, and nothing else."""
import tempfile
import unittest
from pathlib import Path

import check_layering

SPDX = "// " + check_layering.SPDX + "\n"
HEADER = SPDX + "#pragma once\n"


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for layer in check_layering.LAYERS:
            self.write(f"{layer}/README.md", "Text.\n")
            self.write(f"{layer}/part.hpp", HEADER)
        self.write("kernels/CMakeLists.txt", "# " + check_layering.SPDX + "\n")
        self.write("tests/part_test.cpp", SPDX + '#include <gtest/gtest.h>\n#include "launch/part.hpp"\n')

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def problems(self):
        return [f"{path}:{line}: {problem}" for path, line, problem in check_layering.tree_problems(self.root)]

    def expect(self, path, text, *parts):
        """Exactly one problem, which contains every part; none without parts."""
        self.write(path, text)
        found = self.problems()
        self.assertEqual(len(found), 1 if parts else 0, found)
        for part in parts:
            self.assertIn(part, found[0])
        (self.root / path).unlink()

    def test_a_clean_tree_has_no_problems(self):
        self.assertEqual(self.problems(), [])

    def test_every_pair_of_folders_obeys_the_table(self):
        allowed = {  # written out once more, by hand, so that a slip in the checker's table shows
            "src/core": "", "src/hdf5": "src/core", "kernels": "src/core", "comm": "src/core kernels",
            "data": "src/core src/hdf5", "src/nn": "src/core kernels", "src/optim": "src/core kernels",
            "src/precision": "src/core kernels", "src/checkpoint": "src/core src/hdf5", "src/models": "src/core src/nn",
            "src/train": "src/core src/hdf5 kernels comm data src/nn src/optim src/precision src/checkpoint src/models",
            "launch": "src/core src/hdf5 kernels comm data src/nn src/optim src/precision src/checkpoint src/models "
                      "src/train",
        }
        self.assertEqual(set(allowed), set(check_layering.LAYERS))
        for includer, text in allowed.items():
            for included in allowed:
                with self.subTest(includer=includer, included=included):
                    code = SPDX + f'\n#include "{included}/part.hpp"\n'
                    if included == includer or included in text.split():
                        self.expect(f"{includer}/planted.cpp", code)
                    else:
                        self.expect(f"{includer}/planted.cpp", code, f"{includer}/planted.cpp:3", "may not include")

    def test_nothing_includes_tests_or_benchmarks(self):
        self.write("tests/support.hpp", HEADER)
        self.expect("launch/planted.cpp", SPDX + '#include "tests/support.hpp"\n', "may not include")

    def test_third_party_headers_stay_where_they_belong(self):
        for header, good, bad in [
                ("mpi.h", "comm/mpi", "comm"), ("mpi.h", "comm/nccl", "launch"), ("nccl.h", "comm/nccl", "comm/mpi"),
                ("dnnl.hpp", "kernels/cpu", "kernels"), ("oneapi/dnnl/dnnl.hpp", "kernels/cpu", "src/nn"),
                ("cublasLt.h", "kernels/cuda", "kernels/cpu"), ("cudnn.h", "kernels/cuda", "src/core"),
                ("cuda_runtime.h", "src/core", "src/nn"), ("hdf5.h", "src/hdf5", "src/checkpoint"),
                ("H5FDdevelop.h", "src/hdf5", "data"), ("toml++/toml.h", "src/train", "launch"),
                ("CLI/CLI.hpp", "launch", "src/train"), ("nlohmann/json.hpp", "launch", "comm"),
                ("zlib.h", "data/formats", "data"), ("gtest/gtest.h", "tests", "src/core"),
                ("omp.h", "kernels/cpu", "src/train"), ("immintrin.h", "kernels/cpu", "data")]:
            with self.subTest(header=header, bad=bad):
                code = SPDX + f"#include <{header}>\n"
                self.expect(f"{good}/planted.cpp", code)
                self.expect(f"{bad}/planted.cpp", code, f"<{header}> belongs under")

    def test_standard_posix_and_fmt_headers_are_free_and_unknown_ones_are_not(self):
        self.expect("data/planted.cpp", SPDX + "#include <vector>\n#include <sys/stat.h>\n#include <fmt/format.h>\n")
        self.expect("data/planted.cpp", SPDX + "#include <boost/any.hpp>\n", "of no known library")

    def test_include_paths_start_at_the_root(self):
        self.expect("data/planted.cpp", SPDX + '#include "part.hpp"\n', "include paths start at its root")

    def test_an_include_in_a_comment_is_none(self):
        self.expect("data/planted.cpp", SPDX + "// #include <mpi.h>\n/*\n#include <mpi.h>\n*/\n")

    def test_a_backend_is_chosen_in_its_places_only(self):
        for directive in ["#if MPDIST_CUDA", "#ifdef MPDIST_CUDA", "#ifndef __CUDACC__", "# elif defined(MPDIST_NCCL)"]:
            with self.subTest(directive=directive):
                code = SPDX + directive + "\n#endif\n"
                self.expect("src/nn/planted.cpp", code, "src/nn/planted.cpp:2", "a backend is chosen")
                self.expect("src/core/planted.cpp", code)
                self.expect("comm/factory.cpp", code)
        self.expect("src/nn/planted.cpp", SPDX + "#if defined(__AVX2__)\n#endif\n")

    def test_every_source_starts_with_its_licence(self):
        self.expect("data/planted.cpp", "\n" + SPDX, "data/planted.cpp:1", "SPDX")
        self.expect("data/planted.cu", "", "SPDX")
        self.expect("data/CMakeLists.txt", "add_library(x)\n", "SPDX")
        self.expect("launch/planted.sh", "#!/bin/sh\necho\n", "launch/planted.sh:2", "SPDX")
        self.expect("launch/planted.sh", "#!/bin/sh\n# " + check_layering.SPDX + "\n")
        self.expect("tests/planted.cpp", "int main() {}\n", "SPDX")

    def test_a_header_has_a_pragma_once(self):
        self.expect("data/planted.hpp", SPDX, "#pragma once")

    def test_readmes_are_there_and_short(self):
        self.expect("data/formats/README.md", "line\n" * 60)
        self.expect("data/formats/README.md", "line\n" * 61, "at most 60 lines, found 61")
        (self.root / "data/README.md").unlink()
        self.assertEqual(self.problems(), ["data:1: a folder without a README.md"])

    def test_a_new_folder_needs_a_layer(self):
        self.expect("src/planted/part.cpp", SPDX, "in no layer")


if __name__ == "__main__":
    unittest.main()
