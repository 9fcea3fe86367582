"""The experiments that need traces alone: the command in each README gives the values beside it."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

import cli

FOLDER = cli.ROOT / "experiments"


def commands(experiment: str) -> list[str]:
    """The marked shell blocks of the experiment's README."""
    listed = subprocess.run(
        [sys.executable, cli.ROOT / "scripts" / "check_docs.py", "--blocks",
         FOLDER / experiment / "README.md"],
        capture_output=True, check=True,
    )  # fmt: skip
    return listed.stdout.decode().removesuffix("\0").split("\0")


def look_up(result: dict, path: str):
    """The value at a path like entropy.bins.0.rows."""
    for key in path.split("."):
        result = result[int(key) if key.isdigit() else key]
    return result


class Figures(cli.CommandTest):
    def check(self, experiment: str):
        path = f"{pathlib.Path(cli.GELATO).parent}:{os.environ['PATH']}"
        for command in commands(experiment):
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=cli.ROOT, env=cli.environment(PATH=path, OUT=str(self.folder)),
                stdin=subprocess.DEVNULL, capture_output=True, timeout=cli.DEADLINE_S, check=False,
            )  # fmt: skip
            self.assert_works(done)
        expected = json.loads((FOLDER / experiment / "expected.json").read_text())
        self.assertGreater(len(expected), 0)
        for file, values in expected.items():
            result = json.loads((self.folder / file).read_text())
            for key, wanted in values.items():
                with self.subTest(file=file, key=key):
                    self.assertAlmostEqual(
                        look_up(result, key), wanted["value"],
                        delta=wanted["tolerance"],
                    )  # fmt: skip

    def test_acceptance_by_entropy(self):
        self.check("gelato-fig2")

    def test_top_p_sets(self):
        self.check("gelato-fig3")


if __name__ == "__main__":
    unittest.main()
