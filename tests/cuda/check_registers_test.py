# SPDX-License-Identifier: Apache-2.0
"""The gate on registers fails where it must: planted outputs of ptxas, one defect each."""
import contextlib
import io
import pathlib
import tempfile
import unittest

import check_registers

CLEAN = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN6mpdist7kernels4cuda5twiceIfEEvPT_' for '{0}'
ptxas info    : Function properties for _ZN6mpdist7kernels4cuda5twiceIfEEvPT_
    {1} bytes stack frame, {2} bytes spill stores, {2} bytes spill loads
ptxas info    : Used 31 registers, used 1 barriers, 512 bytes smem, 400 bytes cmem[0]
"""


class CheckRegisters(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.object = str(pathlib.Path(folder.name) / "twice.cu.o")

    def result(self, *parts):
        """Exit code and text for an object of which ptxas said `parts`."""
        if parts:
            pathlib.Path(self.object + ".ptxas").write_text("".join(parts), encoding="utf-8")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = check_registers.main(["sm_80,sm_90", self.object])
        return code, said.getvalue()

    def assert_fails(self, expected, *parts):
        code, text = self.result(*parts)
        self.assertEqual(code, 1)
        self.assertIn(expected, text)

    def test_a_clean_kernel_passes_and_is_printed(self):
        code, text = self.result(CLEAN.format("sm_80", 0, 0), CLEAN.format("sm_90", 0, 0))
        self.assertEqual(code, 0)
        self.assertRegex(text, r"(?m)^   31    \(512\)     31    \(512\)  twice<float>$")

    def test_spills(self):
        self.assert_fails("twice<float> on sm_90: 0 bytes of stack, 16 bytes spilled", CLEAN.format("sm_80", 0, 0),
                          CLEAN.format("sm_90", 0, 8))

    def test_a_stack_frame(self):
        self.assert_fails("twice<float> on sm_80: 40 bytes of stack", CLEAN.format("sm_80", 40, 0), CLEAN.format("sm_90", 0, 0))

    def test_a_name_that_depends_on_the_folder(self):
        unnamed = CLEAN.replace("5twice", "5twiceIN38_GLOBAL__N__08d30bbb_6_add_cu_6ff5ca763SumEE")
        self.assert_fails("a name of an unnamed namespace", unnamed.format("sm_80", 0, 0), unnamed.format("sm_90", 0, 0))

    def test_a_missing_architecture(self):
        self.assert_fails("twice<float>: not compiled for sm_90", CLEAN.format("sm_80", 0, 0))

    def test_any_takes_the_architectures_as_they_are(self):
        self.result(CLEAN.format("sm_75", 0, 0))
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertEqual(check_registers.main(["any", self.object]), 0)
        self.assertIn("sm_75", said.getvalue())

    def test_of_two_objects_with_one_kernel_the_worse_counts(self):
        self.result(CLEAN.format("sm_80", 0, 8))
        other = self.object + ".other"
        pathlib.Path(other + ".ptxas").write_text(CLEAN.format("sm_80", 0, 0), encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(check_registers.main(["any", self.object, other]), 1)

    def test_a_warning(self):
        self.assert_fails("stack size", CLEAN.format("sm_80", 0, 0), CLEAN.format("sm_90", 0, 0),
                          "ptxas warning : stack size for entry function cannot be determined\n")

    def test_a_missing_file(self):
        self.assert_fails("twice.cu.o.ptxas is missing")

    def test_an_empty_file(self):
        self.assert_fails("ptxas said nothing", "\n")

    def test_no_kernel_at_all(self):
        self.assert_fails("no kernel found", "ptxas info    : 0 bytes gmem\n")

    def test_an_excuse_holds_for_its_kernel_and_must_be_needed(self):
        check_registers.JUSTIFIED["twice<float>"] = "planted"
        self.addCleanup(check_registers.JUSTIFIED.clear)
        self.assertEqual(self.result(CLEAN.format("sm_80", 0, 8), CLEAN.format("sm_90", 0, 8))[0], 0)
        self.assert_fails("no kernel needs the excuse 'twice<float>'", CLEAN.format("sm_80", 0, 0),
                          CLEAN.format("sm_90", 0, 0))


if __name__ == "__main__":
    unittest.main()
