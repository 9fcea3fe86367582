"""After each sudden change of experiments/steps the controller settles, and does not flap."""

import importlib.util
import json
import unittest

import cli

FOLDER = cli.ROOT / "experiments" / "steps"


def settling():
    spec = importlib.util.spec_from_file_location("settling", FOLDER / "settling.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Steps(cli.CommandTest):
    def test_settles_within_thirty_rounds(self):
        out = self.folder / "steps.json"
        self.assert_works(cli.run("sim", FOLDER, "--json", out))
        rows = list(settling().rows(json.loads(out.read_text(encoding="utf-8"))))
        self.assertEqual(len(rows), 5 * 4)
        for row in rows:
            if not row["policy"].startswith("gelato"):
                continue
            with self.subTest(change=row["change"], policy=row["policy"]):
                self.assertIsNotNone(row["settled"])
                self.assertLessEqual(row["settled"], 30)
                # A draft is sent now and then while the target writes: two switches.
                self.assertLessEqual(row["switches"], 370 / 8)


if __name__ == "__main__":
    unittest.main()
