"""The short version of every experiment gives what its expected.toml says."""

import json
import tomllib
import unittest

import cli

EXPERIMENTS = sorted(path.parent for path in (cli.ROOT / "experiments").glob("*/expected.toml"))


def value_at(node, path):
    """The value at a list of keys; a table in the list picks the first row that agrees with it."""
    for step in path:
        if isinstance(step, dict):
            node = next(row for row in node if agrees(row, step))
        else:
            node = node[step]
    return node


def agrees(row, wanted):
    return all(
        agrees(row[key], value) if isinstance(value, dict) else row[key] == value
        for key, value in wanted.items()
    )


def series(rows, rule):
    """Values of a key along another key of the cell, for one label."""
    chosen = [
        (row["cell"][rule["along"]], row[rule["key"]])
        for row in rows
        if row["label"] == rule["label"]
        and agrees(row["cell"]["swept"], rule.get("swept", {}))
        and all(name in row["cell"]["swept"] for name in rule.get("sweeps", []))
    ]
    return [value for _, value in sorted(chosen)]


class Experiments(cli.CommandTest):
    def test_short_versions_give_what_is_expected(self):
        self.assertGreaterEqual(len(EXPERIMENTS), 2)
        for folder in EXPERIMENTS:
            with self.subTest(experiment=folder.name):
                out = self.folder / f"{folder.name}.json"
                self.assert_works(cli.run("sim", folder, "--short", "--json", out))
                result = json.loads(out.read_text(encoding="utf-8"))
                expected = tomllib.loads((folder / "expected.toml").read_text(encoding="utf-8"))
                self.assertTrue(expected)
                self.check(result, expected)

    def check(self, result, expected):
        for rule in expected.get("value", []):
            with self.subTest(path=rule["path"]):
                found = value_at(result, rule["path"])
                self.assertAlmostEqual(found, rule["value"], delta=rule["tolerance"])
        for rule in expected.get("rising", []):
            with self.subTest(rising=rule):
                values = series(result["rows"], rule)
                self.assertGreaterEqual(len(values), 2)
                self.assertEqual(values, sorted(values))


if __name__ == "__main__":
    unittest.main()
