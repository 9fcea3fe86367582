"""The short version of every experiment gives what its expected.toml says."""

import json
import statistics
import tomllib
import unittest

import cli

# expected.toml is about scenario.toml, expected-NAME.toml about NAME.toml.
EXPECTED = sorted((cli.ROOT / "experiments").glob("*/expected*.toml"))
LIST_STEPS = {"max": max, "mean": statistics.fmean, "last": lambda values: values[-1]}


def scenario_of(expected):
    name = expected.stem.removeprefix("expected").removeprefix("-") or "scenario"
    return expected.with_name(f"{name}.toml")


def value_at(node, path):
    """The value at a list of keys; a table in the list picks the first row that agrees with it, and
    max, mean or last make one number of a list."""
    for step in path:
        if isinstance(step, dict):
            node = next(row for row in node if agrees(row, step))
        elif isinstance(node, list) and step in LIST_STEPS:
            node = LIST_STEPS[step](node)
        else:
            node = node[step]
    return node


def agrees(row, wanted):
    return all(
        agrees(row.get(key, {}), value) if isinstance(value, dict) else row.get(key) == value
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


def by_queue(rounds, key):
    """Means of a key of a row's rounds where the queue was in its lowest and its highest quarter."""
    queue = [0.0, *rounds["queue_j"]]  # as the policy saw it: before the round
    order = sorted(range(len(rounds[key])), key=lambda i: queue[i])
    quarter = len(order) // 4
    mean = lambda places: statistics.fmean(rounds[key][i] for i in places)
    return mean(order[:quarter]), mean(order[-quarter:])


class Experiments(cli.CommandTest):
    def test_short_versions_give_what_is_expected(self):
        self.assertGreaterEqual(len(EXPECTED), 2)
        for path in EXPECTED:
            with self.subTest(expected=f"{path.parent.name}/{path.name}"):
                out = self.folder / "result.json"
                self.assert_works(cli.run("sim", scenario_of(path), "--short", "--json", out))
                result = json.loads(out.read_text(encoding="utf-8"))
                expected = tomllib.loads(path.read_text(encoding="utf-8"))
                self.assertTrue(expected)
                self.assertLessEqual(set(expected), {"value", "rising", "order", "queue"})
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
        for rule in expected.get("order", []):  # each value by `factor` above the one before it
            with self.subTest(order=rule):
                values = [value_at(result, path) for path in rule["paths"]]
                for low, high in zip(values, values[1:]):
                    self.assertGreaterEqual(high, low * rule["factor"])
        for rule in expected.get("queue", []):  # a key falls by `by` as the energy queue rises
            with self.subTest(queue=rule):
                low, high = by_queue(value_at(result, rule["path"]), rule["key"])
                self.assertGreaterEqual(low - high, rule["by"])


if __name__ == "__main__":
    unittest.main()
