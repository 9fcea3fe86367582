"""gelato bench edge: a small load with real processes, and what goes wrong with them."""

import json
import os
import pathlib
import signal
import subprocess
import unittest

import cli
from cli import FAILED, USAGE

KEYS = cli.documented("Every result") | cli.documented("JSON", page="bench-edge.md")


def devices_of(parent: int) -> list[int]:
    """The processes of devices that a benchmark has started."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text(encoding="utf-8").rsplit(") ", 1)[1].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(status[1]) == parent and b"edge-devices" in command:
            found.append(int(folder.name))
    return found


class BenchEdge(cli.CommandTest):
    def bench(self, *arguments):
        return cli.run("bench", "edge", "-n", "12", "--seconds", "0.2", *arguments)

    def under_way(self):
        """A long benchmark whose first window is over, in a process group of its own."""
        bench = subprocess.Popen(
            [cli.GELATO, "bench", "edge", "--devices", "3", "--devices-per-process", "2", "-n", "12",
             "--seconds", "0.2", "--repetitions", "1000"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=cli.environment(),
            start_new_session=True,
        )  # fmt: skip
        self.addCleanup(lambda: bench.poll() is None and os.killpg(bench.pid, signal.SIGKILL))
        self.assertEqual(bench.stderr.readline(), b"measuring: 1 of 1000\n")
        return bench

    def check_end(self, bench, word):
        """It ends with one sentence, and nothing of it is left."""
        output, errors = bench.communicate(timeout=cli.DEADLINE_S)
        self.assertEqual(bench.returncode, FAILED)
        self.assertEqual(output, b"")
        self.assertRegex(errors.splitlines()[-1], rb"\Agelato: .*" + word)
        with self.assertRaises(ProcessLookupError):
            os.killpg(bench.pid, 0)

    def test_devices_in_processes_write_and_are_counted(self):
        path = self.folder / "edge.json"
        result = self.bench("--devices", "5", "--devices-per-process", "2", "--repetitions", "2",
                            "--replay", "--link", "rate=20mbit,delay=5ms", "--json", path)  # fmt: skip
        self.assert_works(result)
        data = json.loads(path.read_text())
        self.assertEqual(set(data), KEYS)
        self.assertEqual((data["devices"], data["processes"]), (5, 3))
        self.assertEqual(data["repetitions"], 2)
        self.assertEqual(data["link"], "rate=20mbit,delay=5ms")
        self.assertGreater(data["verdict_p50_s"], 0.01)
        self.assertGreater(data["fairness_rounds_min_over_mean"]["min"], 0)
        self.assertGreater(data["tokens_per_s"]["min"], 0)
        self.assertLessEqual(data["batch_sessions_mean"]["max"], 5)
        self.assertGreater(data["draft_tokens_mean"]["min"], 0)
        self.assertIn("5 devices, static:4, drafts replayed", result.stdout.decode())

    def test_ctrl_c_leaves_no_process(self):
        bench = self.under_way()
        bench.send_signal(signal.SIGINT)
        self.check_end(bench, b"interrupted")

    def test_a_process_of_devices_that_dies_ends_the_benchmark(self):
        bench = self.under_way()
        devices = devices_of(bench.pid)
        self.assertEqual(len(devices), 2)
        os.kill(devices[0], signal.SIGKILL)
        self.check_end(bench, b"a process of devices ended")

    def test_what_devices_cannot_do_is_told_as_theirs(self):
        other = self.tiny("draft.gguf")
        self.assert_refused(self.bench("--model-draft", other), FAILED, "name a draft model")
        self.assert_refused(self.bench("--devices-per-process", "0"), USAGE, "1")
        self.assert_refused(self.bench("--link", "rate=fast"), USAGE, "rate")

    def test_the_command_for_devices_is_not_for_people(self):
        result = cli.run("bench", "edge-devices")
        self.assert_refused(result, USAGE, "gelato bench edge")
        result = cli.run("bench", "edge-devices", cli.DRAFT, stdin=b'{"devices": -1}\n')
        self.assert_refused(result, USAGE, "no plan")


if __name__ == "__main__":
    unittest.main()
