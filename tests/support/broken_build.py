# SPDX-License-Identifier: Apache-2.0
"""Breaks one source of a build on purpose: shared by the tests that demand that the software GPU sees such breaks.

BUILD is the build folder. The source is compiled with another text by the build's own command, and linked before the library that
holds the original into a copy of a program.
"""
import json
import os
import shlex
import subprocess

BUILD = os.environ["BUILD"]
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def changed_text(source, changes):
    """The text of a source with each (old, new) applied; AssertionError where `old` does not stand there once."""
    with open(os.path.join(ROOT, source), encoding="utf-8") as file:
        text = file.read()
    for old, new in changes:
        assert text.count(old) == 1, f"{source} no longer holds once: {old!r}"
        text = text.replace(old, new)
    return text


def compiled(source, text, folder):
    """The object of a source with another text."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        entry = next(e for e in json.load(file) if e["file"] == os.path.join(ROOT, source))
    changed, made = os.path.join(folder, os.path.basename(source)), os.path.join(folder, "changed.o")
    with open(changed, "w", encoding="utf-8") as file:
        file.write(text)
    command = shlex.split(entry["command"])
    command[command.index("-o") + 1] = made
    command[command.index("-c") + 1] = changed
    subprocess.run(command, cwd=entry["directory"], check=True)
    return made


def broken_program(target, name, source, changes):
    """The program `target` (as ninja names it, "tests/comm/comm_mpi_test") with the changes in one source."""
    folder = os.path.join(BUILD, os.path.dirname(target), "broken", name)  # a fixed place: the compiler's cache knows it again
    os.makedirs(folder, exist_ok=True)
    made, program = compiled(source, changed_text(source, changes), folder), os.path.join(folder, os.path.basename(target))
    told = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", "-s", target], capture_output=True, text=True, check=True)
    # ": && c++ ... && cd ... && cmake ...": what follows the link lists tests.
    command = shlex.split(told.stdout.splitlines()[-1].split(" && ")[1])
    command[command.index("-o") + 1] = program
    command.insert(command.index("-o") + 2, made)
    subprocess.run(command, cwd=BUILD, check=True)
    return program
