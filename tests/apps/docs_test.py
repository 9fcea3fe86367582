"""The commands in docs/cli.md that are marked to be run: each block works as it stands."""

import pathlib
import subprocess
import sys
import unittest

import cli


class Blocks(cli.CommandTest):
    def test_every_marked_block_works(self):
        listed = subprocess.run(
            [sys.executable, cli.ROOT / "scripts" / "check_docs.py", "--blocks",
             cli.ROOT / "docs" / "cli.md"],
            capture_output=True, check=True,
        )  # fmt: skip
        blocks = listed.stdout.decode().removesuffix("\0").split("\0")
        self.assertGreaterEqual(len(blocks), 4)
        path = f"{pathlib.Path(cli.GELATO).parent}:/usr/local/bin:/usr/bin:/bin"
        for block in blocks:
            with self.subTest(block=block):
                done = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", block],
                    cwd=self.folder, env=cli.environment(PATH=path), stdin=subprocess.DEVNULL,
                    capture_output=True, timeout=cli.DEADLINE_S, check=False,
                )  # fmt: skip
                self.assertEqual(done.returncode, 0, done.stderr.decode())
        written = {file.name for file in self.folder.iterdir()}
        self.assertEqual(written, {"run.json", "demo.json", "bench.json", "bench.html", "bench.csv", "doctor.json",
                                   "profile.toml", "a.csv", "a.trace", "prompts.jsonl", "trace.json"})


if __name__ == "__main__":
    unittest.main()
