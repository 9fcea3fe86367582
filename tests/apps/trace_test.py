"""gelato trace: recording, looking inside, and what is refused."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
import unittest

import cli
from cli import FAILED, USAGE

KEYS = cli.documented("Every result")
TRACE_KEYS = cli.documented("gelato trace")
STATS_KEYS = cli.documented("gelato trace", 1)


class Traces(cli.CommandTest):
    def prompts(self, count, name="prompts.jsonl"):
        path = self.folder / name
        lines = [
            {"id": f"p{i}", "task": ("stories", "maths")[i % 2], "prompt": f"One day, {i} bears"}
            for i in range(count)
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def record(self, prompts, output, *more):
        options = ("--prompts", prompts, "-n", "12", "--depth", "6", "-o", output)
        return cli.run("trace", "record", *options, *more)

    def test_a_recorded_trace_shows_what_it_holds(self):
        path, result = self.folder / "a.trace", self.folder / "a.json"
        self.assert_works(self.record(self.prompts(3), path, "--json", result))
        recorded = json.loads(result.read_text())
        self.assertEqual(KEYS | {"trace"}, recorded.keys())
        self.assertEqual(recorded["models"].keys(), {"target", "draft"})
        trace = recorded["trace"]
        self.assertEqual(TRACE_KEYS, trace.keys())
        self.assertEqual((trace["prompts"], trace["positions"], trace["depth"]), (3, 36, 6))
        self.assertEqual([s["set"] for s in trace["sets"]], ["stories", "maths", None])
        self.assertEqual(len(trace["verify_s"]), 7)
        self.assertGreater(min([trace["draft_token_s"], *trace["verify_s"]]), 0)

        shown = cli.run("trace", "info", path, "--json", "-")
        self.assert_works(shown)
        self.assertEqual(json.loads(shown.stdout)["trace"], trace)
        self.assertIn(b"stories", cli.run("trace", "info", path).stdout)
        self.assertEqual(sorted(os.listdir(self.folder)), ["a.json", "a.trace", "prompts.jsonl"])

    def test_stats_and_export_agree(self):
        path = self.folder / "a.trace"
        self.assert_works(self.record(self.prompts(3), path))
        stats = cli.run("trace", "stats", path, "--json", "-")
        self.assert_works(stats)
        result = json.loads(stats.stdout)
        self.assertEqual(KEYS | {"trace"} | STATS_KEYS, result.keys())

        exported = cli.run("trace", "export", path, "--csv", "-")
        self.assert_works(exported)
        rows = list(csv.DictReader(exported.stdout.decode().splitlines()))
        first = [row for row in rows if row["depth"] == "1"]
        self.assertEqual(len(first), 36)
        self.assertLessEqual(len(rows), 36 * 6)
        accepted = sum(int(row["match"]) for row in first)
        self.assertAlmostEqual(result["trace"]["sets"][-1]["acceptance_rate"], accepted / 36)
        self.assertEqual(sum(b["rows"] for b in result["entropy"]["bins"]), 36)
        sizes = [int(row["top_p"]) for row in first]
        self.assertAlmostEqual(result["top_sets"]["mean"], sum(sizes) / 36)
        self.assertEqual(result["top_sets"]["max"], max(sizes))

    def test_recording_twice_gives_the_same_columns(self):
        prompts = self.prompts(2)
        for name in ("a", "b"):
            self.assert_works(self.record(prompts, self.folder / f"{name}.trace"))
            self.assert_works(
                cli.run("trace", "export", self.folder / f"{name}.trace",
                        "--csv", self.folder / f"{name}.csv")
            )  # fmt: skip
        self.assertEqual((self.folder / "a.csv").read_bytes(), (self.folder / "b.csv").read_bytes())

    def test_an_interrupted_recording_goes_on(self):
        prompts, path = self.prompts(40), self.folder / "a.trace"
        arguments = ["trace", "record", "--prompts", prompts, "-n", "24", "--depth", "16", "-o", path]
        ours, theirs = pty.openpty()  # a bar shows every step
        process = subprocess.Popen(
            [cli.GELATO, *map(os.fspath, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs,
            env=cli.environment(TERM="xterm"),
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        while not re.search(rb"recording [#.]+ [1-9]\d*/40", shown):
            shown += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # how Linux says that nobody holds the other end any more
            pass
        os.close(ours)
        self.assertEqual(process.wait(timeout=cli.DEADLINE_S), FAILED, shown)
        self.assertRegex(shown, rb"goes on after \d+ of 40 prompts")
        self.assertTrue((self.folder / "a.trace.partial").exists())
        self.assertFalse(path.exists())

        other = cli.run(*arguments, "--top-p", "0.9")
        self.assert_refused(other, USAGE, "a.trace.partial", "others", "remove")
        self.assert_works(cli.run(*arguments))
        self.assertEqual(sorted(os.listdir(self.folder)), ["a.trace", "prompts.jsonl"])
        trace = json.loads(cli.run("trace", "info", path, "--json", "-").stdout)["trace"]
        self.assertEqual(trace["prompts"], 40)

    def test_what_cannot_work_is_refused(self):
        path = self.folder / "a.trace"
        good = self.prompts(1)
        for text, words in (
            ("", ["no prompts"]),
            ('{"id": "a", "prompt": "x"}\n[]', ["line 2", "no JSON object"]),
            ('{"id": "a"}', ["line 1", '"prompt"']),
            ('{"id": "a", "prompt": "x"}\n\n{"id": "a", "prompt": "y"}', ["line 3", "another"]),
        ):
            with self.subTest(text=text):
                bad = self.folder / "bad.jsonl"
                bad.write_text(text)
                self.assert_refused(self.record(bad, path), USAGE, "bad.jsonl", *words)
        for more, code, words in (
            (["--no-draft"], USAGE, ["--model-draft"]),
            (["--top-p", "0"], USAGE, ["top-p"]),
            (["-o", "-"], USAGE, ["--output"]),
            (["-o", self.folder / "no" / "a.trace"], FAILED, ["folder"]),
            (["-c", "4"], USAGE, ["p0"]),
        ):
            with self.subTest(more=more):
                self.assert_refused(self.record(good, path, *more), code, *words)
        self.assertFalse(path.exists())
        self.assert_refused(cli.run("trace"), USAGE, "--help")
        self.assert_refused(cli.run("trace", "sing"), USAGE, "sing")

    def test_damaged_traces_are_named(self):
        path = self.folder / "a.trace"
        self.assert_works(self.record(self.prompts(1), path))
        whole = path.read_bytes()
        for content, words in (
            (whole[:-1], ["cut short", "record"]),
            (whole[:8] + b"\x09" + whole[9:], ["version 9", "record it again"]),
            (whole[:200] + bytes([whole[200] ^ 1]) + whole[201:], ["damaged"]),
            (b"text", ["not a draft trace"]),
        ):
            path.write_bytes(content)
            for command in (["info"], ["stats"], ["export", "--csv", self.folder / "a.csv"]):
                with self.subTest(command=command, words=words):
                    result = cli.run("trace", command[0], path, *command[1:])
                    self.assert_refused(result, FAILED, "a.trace", *words)
        missing = cli.run("trace", "info", self.folder / "b.trace")
        self.assert_refused(missing, FAILED, "b.trace", "record")


if __name__ == "__main__":
    unittest.main()
