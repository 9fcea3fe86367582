"""Running the real program as a user would: what the tests of the commands share.

The environment names the programs, GELATO and TINY_GGUF; without it, those of the release preset run.
Nothing here waits for time to pass; what has to be waited for is read from a pipe.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "assets" / "models"
TARGET = MODELS / "gelato-tale-6m-q8_0.gguf"
DRAFT = MODELS / "gelato-tale-3m-q8_0.gguf"
SMALL_DRAFT = MODELS / "gelato-tale-1m-q8_0.gguf"

# Far longer than anything here takes, also under a sanitizer on a busy machine: a hang is a failure.
DEADLINE_S = 240

FAILED = 1
USAGE = 2

BUILT = ROOT / "build" / "release" / "bin"
GELATO = os.environ.get("GELATO", str(BUILT / "gelato"))
TINY_GGUF = os.environ.get("TINY_GGUF", str(BUILT / "tiny_gguf"))


def documented(heading: str, table: int = 0, page: str = "json.md") -> set[str]:
    """The keys in a table of a page of docs/: the first one, or a later one, under this heading."""
    section = (ROOT / "docs" / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1]
    tables = re.findall(r"(?:^\|.*\n)+", section.split("\n## ")[0] + "\n", re.MULTILINE)
    first_cells = [row.split("|")[1] for row in tables[table].splitlines()[2:]]
    return {key for cell in first_cells for key in re.findall(r"`(\w+)`", cell)}


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what changes how output looks, and with `more`."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    return kept | more


def run(*arguments, stdin=b"", env=None, **options) -> subprocess.CompletedProcess:
    """Runs the program to its end; output as bytes."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(
        [GELATO, *map(os.fspath, arguments)],
        input=stdin,
        env=env or environment(),
        timeout=DEADLINE_S,
        check=False,
        **options,
    )


def generate(*arguments, **options) -> subprocess.CompletedProcess:
    """gelato run with a short prompt and a few tokens, unless the arguments say otherwise."""
    given = set(arguments)
    if not given & {"-p", "--prompt", "-f", "--file"}:
        arguments = ("-p", "Once upon a time", *arguments)
    if not given & {"-n", "--predict"}:
        arguments = ("-n", "8", *arguments)
    return run("run", *arguments, **options)


class CommandTest(unittest.TestCase):
    """A folder of its own for every test, and the ways to look at a result."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def tiny(self, name="tiny.gguf", **options) -> pathlib.Path:
        """A tiny random model; the options of the tiny_gguf program."""
        path = self.folder / name
        flags = []
        for key, value in options.items():
            values = value if isinstance(value, tuple) else (str(value),)
            flags += [f"--{key.replace('_', '-')}", *values]
        subprocess.run([TINY_GGUF, path, *flags], check=True, timeout=DEADLINE_S)
        return path

    def assert_works(self, result):
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))

    def assert_refused(self, result, code, *words):
        """One sentence on standard error, nothing on standard output, and this exit code."""
        message = result.stderr.decode(errors="strict")
        self.assertEqual(result.returncode, code, message)
        self.assertEqual(result.stdout, b"")
        self.assertRegex(message, r"\Agelato: [^\n]{10,}\n\Z")
        for word in words:
            self.assertIn(word, message)
