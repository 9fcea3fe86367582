"""gelato bench edge and gelato demo with few devices and tokens. Nothing here depends on speed."""
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
        nobody = self.gelato("bench", "edge", "--edge", "127.0.0.1:1", "--insecure")
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("127.0.0.1:1", nobody.stderr)

    def test_demo_over_a_link(self):
        result, text = self.result("demo", "-n", "12", "--repetitions", "1", "--link",
                                   "rate=10mbit,delay=1ms")
        self.assertEqual(len(result["rows"]), 3)
        rows = {row["policy"]: row for row in result["link_rows"]}
        self.assertEqual(list(rows), ["edge-only", "device-only", "static:4", "static:8", "p-min"])
        self.assertEqual(result["link"], "rate=10mbit,delay=1ms")
        for policy, row in rows.items():
            self.assertEqual(len(row["outputs"]), 3)
            self.assertGreater(row["tokens_per_s"]["min"], 0.0)
            self.assertEqual(row["unverified_tokens"] > 0, policy == "device-only")
        self.assertIn("not the target's", text)

    def test_demo_without_a_link(self):
        result, _ = self.result("demo", "-n", "4", "--repetitions", "1", "--no-link")
        self.assertNotIn("link_rows", result)


if __name__ == "__main__":
    unittest.main()
