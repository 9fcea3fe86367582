"""gelato bench edge, bench link and gelato demo with few devices and tokens. Nothing here depends on speed."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GELATO = os.environ.get("GELATO", str(ROOT / "build" / "release" / "bin" / "gelato"))
DEADLINE_S = 300  # far longer than anything here takes: a hang is a failure


class FleetTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def gelato(self, *arguments):
        return subprocess.run([GELATO, *arguments], capture_output=True, text=True, check=False,
                              timeout=DEADLINE_S, env=os.environ | {"TMPDIR": str(self.folder)})

    def result(self, *arguments):
        ended = self.gelato(*arguments, "--json", "-")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(list(self.folder.iterdir()), [], "a temporary file was left behind")
        return json.loads(ended.stdout), ended.stderr

    def check_load(self, result, devices):
        self.assertEqual(result["devices"], devices)
        for key in ("tokens_per_s", "bare_tokens_per_s", "batch_efficiency", "cpu_efficiency"):
            self.assertGreater(result[key]["min"], 0.0, key)
        for key in ("fairness_min_over_mean", "fairness_rounds_min_over_mean"):
            self.assertGreater(result[key]["min"], 0.0, key)
            self.assertLessEqual(result[key]["max"], 1.0 + 1e-9, key)
        self.assertGreaterEqual(result["batch_sessions_mean"]["min"], 1.0)
        self.assertLessEqual(result["batch_sessions_mean"]["max"], devices)
        self.assertLess(0.0, result["verdict_p50_s"])
        self.assertLessEqual(result["verdict_p50_s"], result["verdict_p95_s"])
        self.assertLessEqual(result["verdict_p95_s"], result["verdict_p99_s"])
        for way in ("uplink", "downlink"):
            self.assertLess(0.0, result[f"{way}_app_bytes_per_round"])
            self.assertLess(result[f"{way}_app_bytes_per_round"],
                            result[f"{way}_wire_bytes_per_round"])
        self.assertGreater(result["rss_mb"], 1.0)

    def test_devices_that_draft(self):
        result, text = self.result("bench", "edge", "--devices", "3", "--seconds", "0.3",
                                   "--repetitions", "1", "-n", "16")
        self.check_load(result, 3)
        self.assertEqual(result["drafts"], "drafted")
        self.assertIn("slowest device / mean", text)

    def test_devices_that_replay_draft_as_much(self):
        result, _ = self.result("bench", "edge", "--devices", "2", "--seconds", "0.3",
                                "--repetitions", "1", "-n", "16", "--replay", "--policy",
                                "static:3")
        self.check_load(result, 2)
        self.assertEqual(result["drafts"], "replayed")
        # 3 a round, fewer only where a text ends.
        self.assertGreater(result["draft_tokens_mean"]["median"], 1.5)
        self.assertLessEqual(result["draft_tokens_mean"]["median"], 3.0)

    def test_refusals(self):
        self.assertEqual(self.gelato("bench", "edge", "--policy", "nonsense").returncode, 2)
        self.assertEqual(self.gelato("bench", "edge", "--devices", "0").returncode, 2)
        self.assertEqual(self.gelato("bench", "link", "--policy", "nonsense").returncode, 2)
        self.assertEqual(self.gelato("bench", "link", "--link", "rate=fast").returncode, 2)
        self.assertEqual(self.gelato("bench", "link", "--pace", "nothing").returncode, 1)
        nobody = self.gelato("bench", "edge", "--edge", "127.0.0.1:1", "--insecure")
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("127.0.0.1:1", nobody.stderr)

    def test_the_live_scenarios_are_understood(self):
        """Each is read as a whole before the profile, named last, is found missing."""
        scenarios = sorted((ROOT / "experiments" / "live").glob("*.toml"))
        self.assertEqual(len(scenarios), 5)
        for scenario in scenarios:
            ended = self.gelato("bench", "link", "--config", str(scenario), "--pace", "nothing")
            self.assertEqual(ended.returncode, 1, ended.stderr)
            self.assertIn("nothing", ended.stderr)

    def test_demo_over_a_link(self):
        result, text = self.result("demo", "-n", "12", "--repetitions", "1", "--link",
                                   "rate=10mbit,delay=1ms", "--edge-pass", "0.002")
        self.assertEqual(len(result["rows"]), 3)
        rows = {row["policy"]: row for row in result["link_rows"]}
        self.assertEqual(list(rows), ["edge-only", "device-only", "static:4", "static:8", "p-min",
                                      "gelato-paper", "gelato"])
        self.assertEqual(result["link"], "rate=10mbit,delay=1ms")
        for policy, row in rows.items():
            self.assertEqual(len(row["outputs"]), 1)
            self.assertGreater(row["tokens_per_s"]["min"], 0.0)
            self.assertGreater(row["joules_per_token"], 0.0)
            self.assertLessEqual(row["edge_passes_per_token"], 1.0)
            self.assertEqual(row["unverified_tokens"] > 0, policy == "device-only")
        self.assertEqual(result["energy_source"], "model:phone")
        self.assertIn("J/token (model)", text)
        self.assertIn("not the target's", text)
        self.assertEqual(text.count("best static (static:"), 1)
        self.assertNotRegex(text, r"\nstatic:\d  ")

    def test_policies_over_a_link_beside_their_prediction(self):
        result, text = self.result("bench", "link", "--link", "rate=1mbit,delay=5ms",
                                   "--edge-pass", "0.02", "-n", "12", "--repetitions", "2",
                                   "-p", "Once upon a time", "--policy", "edge-only",
                                   "--policy", "static:3", "--policy", "device-only")
        self.assertEqual(result["benchmark"], "link")
        self.assertEqual(result["energy_source"], "model:phone")
        curve = result["probe"]["edge_curve_s"]
        self.assertEqual(len(curve), 33)
        self.assertEqual(curve, sorted(curve))
        self.assertEqual([row["policy"] for row in result["rows"]],
                         ["edge-only", "static:3", "device-only"])
        for row in result["rows"]:
            alone = row["policy"] == "device-only"
            self.assertEqual(row["text_vs_target"], None if alone else "identical")
            self.assertEqual(row["unverified_tokens"], row["tokens"] if alone else 0)
            # Decisions and counts are exact; times depend on the machine.
            for key in ("mean_committed", "acceptance_rate", "edge_passes_per_token"):
                if not alone:
                    self.assertEqual(row[key], row["simulated"][key], (row["policy"], key))
            self.assertGreater(row["ratio_tokens_per_s"]["min"], 0.0)
            self.assertGreater(row["ratio_joules_per_token"]["min"], 0.0)
        self.assertIn("live / simulated", text)

    def test_demo_without_a_link(self):
        result, _ = self.result("demo", "-n", "4", "--repetitions", "1", "--no-link")
        self.assertNotIn("link_rows", result)


if __name__ == "__main__":
    unittest.main()
