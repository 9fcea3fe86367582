"""gelato sim as a user runs it."""

import json
import signal
import subprocess
import unittest

import cli

SCENARIO = """schema = 1
trace = "entropy:0.35,0.5"
profile = "phone"
rounds = {rounds}
seeds = 2
accounting = "{accounting}"
policies = [
  {{ policy = "static:{{3,7}}", tune = "tokens_per_s", label = "static", role = "baseline" }},
  {{ policy = "gelato-paper", role = "contender" }},
  {{ policy = "goodput", role = "one-in-flight" }},
  "oracle", "oracle:1",
]
[link]
fading = "rayleigh"
bandwidth = "1mhz"
power = "23dbm"
distance = "300m"
[[sweep]]
link.bandwidth = ["1mhz", "5mhz"]
budget.joules_per_round = ["none", 0.001]  # one that nobody keeps
"""

ALL = cli.documented("Every result")


class Sim(cli.CommandTest):
    def scenario(self, rounds=100, accounting="full", extra=""):
        path = self.folder / "s.toml"
        path.write_text(SCENARIO.format(rounds=rounds, accounting=accounting) + extra, "utf-8")
        return path

    def test_result_has_the_documented_keys(self):
        scenario = self.scenario()
        scenario.write_text("record_rounds = 3\n" + scenario.read_text("utf-8"), "utf-8")
        done = cli.run("sim", scenario, "--json", "-")
        self.assert_works(done)
        result = json.loads(done.stdout)
        self.assertEqual(set(result), ALL | cli.documented("gelato sim"))
        self.assertEqual(set(result["summary"]), cli.documented("gelato sim", table=1))
        self.assertNotIn(None, result["summary"].values())
        keys = set().union(*(row.keys() for row in result["rows"]))
        cell = {"bandwidth_hz", "uplink_bps", "rtt_s", "edge_pass_s", "draft_token_s", "devices",
                "budget_j_per_round", "budget_j_per_token", "budget_w", "prompts", "swept"}  # fmt: skip
        self.assertLessEqual(keys, cli.documented("gelato sim", table=2))
        page = (cli.ROOT / "docs" / "json.md").read_text(encoding="utf-8")
        self.assertEqual([key for key in cell if f"`{key}`" not in page], [])
        self.assertEqual(set(result["rows"][0]["cell"]), cell)
        self.assertEqual(len(result["rows"]), 20)
        self.assertTrue(result["synthetic_trace"])
        self.assertEqual(result["rows"][0]["cell"]["bandwidth_hz"], 1e6)
        for row in result["rows"]:
            self.assertAlmostEqual(sum(row["energy_split_j"].values()), row["energy_j"], places=6)

    def test_threads_do_not_show(self):
        scenario = self.scenario(accounting="paper")
        outputs = []
        for threads in ("1", "3"):
            done = cli.run("sim", scenario, "--threads", threads, "--seed", "5", "--json", "-")
            self.assert_works(done)
            outputs.append(done.stdout)
        self.assertEqual(outputs[0], outputs[1])

    def test_interrupted_sweep_goes_on_where_it_was(self):
        scenario = self.scenario(rounds=2000)
        whole = cli.run("sim", scenario, "--json", "-")
        self.assert_works(whole)
        state = self.folder / "state"
        command = [cli.GELATO, "sim", scenario, "--threads", "1", "--state", state, "--json", "-"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=cli.environment()) as running:  # fmt: skip
            running.stderr.readline()  # the first row is there
            running.send_signal(signal.SIGINT)
            output, messages = running.communicate(timeout=cli.DEADLINE_S)
        self.assertEqual(running.returncode, cli.FAILED, messages)
        self.assertEqual(output, b"")
        self.assertIn(b"the same command goes on", messages)
        kept = state.read_bytes().count(b"\n")
        self.assertGreater(kept, 1)
        self.assertLess(kept, 21)
        resumed = cli.run("sim", scenario, "--state", state, "--json", "-")
        self.assert_works(resumed)
        self.assertEqual(resumed.stdout, whole.stdout)
        self.assert_refused(cli.run("sim", scenario, "--state", state, "--seed", "9"), cli.USAGE,
                            "another scenario")  # fmt: skip

    def test_csv_has_a_column_per_number(self):
        out = self.folder / "s.csv"
        self.assert_works(cli.run("sim", self.scenario(), "--csv", out))
        head, *lines = out.read_text("utf-8").splitlines()
        self.assertEqual(len(lines), 20)
        self.assertIn("tokens_per_s", head.split(","))
        self.assertIn("cell.edge_pass_s", head.split(","))

    def test_bad_scenarios_are_refused_with_file_and_line(self):
        path = self.scenario(extra="[wire]\nup_byte = 3\n")
        line = len(path.read_text("utf-8").splitlines())
        self.assert_refused(cli.run("sim", path), cli.FAILED, f"s.toml:{line}: ", "wire.up_bytes")
        self.assert_refused(cli.run("sim", self.folder / "none"), cli.FAILED, "no scenario")


if __name__ == "__main__":
    unittest.main()
