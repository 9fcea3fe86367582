"""gelato device with gelato edge, as two processes over the loopback."""

import json
import signal
import subprocess
import unittest

import cli
from cli import FAILED, USAGE

STORY = "Once upon a time, there was a small dog"

KEYS = (
    cli.documented("Every result") | cli.documented("gelato run") | cli.documented("gelato device")
)


class Edge:
    """The server as a process; `address` is where it listens."""

    def __init__(self, *arguments, listen="127.0.0.1:0"):
        self.process = subprocess.Popen(
            [cli.GELATO, "edge", "--listen", listen, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=cli.environment(),
        )  # fmt: skip
        line = self.process.stdout.readline().decode()
        self.address = line.rsplit(" ", 1)[-1].strip()

    def end(self, how=signal.SIGTERM) -> int:
        self.process.send_signal(how)
        code = self.process.wait(cli.DEADLINE_S)
        self.process.stdout.close()
        return code


class DeviceTest(cli.CommandTest):
    def edge(self, *arguments, **options) -> Edge:
        edge = Edge(*arguments, **options)
        self.addCleanup(lambda: edge.process.poll() is None and edge.end(signal.SIGKILL))
        return edge

    def device(self, edge, *arguments, **options):
        return cli.run("device", "--edge", edge.address, *arguments, **options)


class Texts(DeviceTest):
    def test_greedy_text_is_that_of_the_target_alone(self):
        edge = self.edge()
        alone = cli.generate("-p", STORY, "-n", "60", "--no-draft", "-q")
        self.assert_works(alone)
        for policy in ("static:4", "static:16", "edge-only", "p-min"):
            with self.subTest(policy=policy):
                result = self.device(edge, "-p", STORY, "-n", "60", "--policy", policy, "-q")
                self.assert_works(result)
                self.assertEqual(result.stdout, alone.stdout)
                self.assertEqual(result.stderr, b"")
        self.assertEqual(edge.end(), 0)

    def test_a_seed_repeats_a_sampled_text_in_every_wire_mode(self):
        edge = self.edge()
        for wire in ("qrow", "dssd"):
            texts = {
                seed: [
                    self.device(edge, "-p", STORY, "-n", "40", "--temp", "0.9", "-s", seed,
                                "--wire", wire, "-q").stdout
                    for _ in range(2)
                ]
                for seed in ("7", "8")
            }  # fmt: skip
            self.assertEqual(*texts["7"])
            self.assertNotEqual(texts["7"][0], texts["8"][0])

    def test_a_conversation_goes_on_in_one_session(self):
        edge = self.edge()
        lines = f"{STORY}\nThe next day\n".encode()
        result = self.device(edge, "-f", "-", "-n", "20", stdin=lines)
        self.assert_works(result)  # piped, the lines are one prompt
        self.assertEqual(result.stderr.count(b"passes at the edge"), 1)


class Results(DeviceTest):
    def result(self, edge, *arguments, tokens=40):
        done = self.device(edge, "-p", STORY, "-n", str(tokens), "--json", "-", *arguments)
        self.assert_works(done)
        return json.loads(done.stdout)

    def test_the_keys_are_the_documented_ones(self):
        result = self.result(self.edge())
        self.assertEqual(set(result), KEYS)
        self.assertEqual(result["models"]["target"]["file"], cli.TARGET.name)
        self.assertEqual(result["models"]["draft"]["file"], cli.DRAFT.name)

    def test_bytes_and_passes_are_accounted_for(self):
        edge = self.edge()
        result = self.result(edge)
        self.assertEqual(result["edge_passes"], result["rounds"])
        self.assertGreater(result["edge_busy_s"], 0)
        self.assertGreater(result["uplink_bytes"], result["uplink_message_bytes"])
        self.assertGreater(result["downlink_bytes"], result["downlink_message_bytes"])
        self.assertEqual(result["wire_mode"], "ids")
        self.assertIsNone(result["link"])
        self.assertEqual(result["unverified_tokens"], 0)
        alone = self.result(edge, "--policy", "edge-only")
        self.assertEqual(alone["edge_passes"], alone["tokens"])
        self.assertEqual(alone["output_sha256"], result["output_sha256"])

    def test_eight_drafted_tokens_take_few_bytes(self):
        """Of messages, the opening with the prompt included."""
        edge = self.edge()
        ids = self.result(edge, "--policy", "static:8")
        self.assertLessEqual(ids["uplink_message_bytes"], 48 * ids["rounds"])
        rows = self.result(edge, "--policy", "static:8", "--temp", "0.8", "--wire", "qrow")
        self.assertLessEqual(rows["uplink_message_bytes"], 24 * rows["drafted"])
        for mode, result in (("ids", ids), ("qrow", rows)):
            print(f"{mode}: {result['uplink_message_bytes'] / result['rounds']:.1f} bytes of messages "
                  f"and {result['uplink_bytes'] / result['rounds']:.1f} on the wire per round, "
                  f"{result['uplink_message_bytes'] / result['drafted']:.1f} and "
                  f"{result['uplink_bytes'] / result['drafted']:.1f} per drafted token")

    def test_an_emulated_link_takes_its_time(self):
        link = "rate=2mbit,delay=10ms"
        # Many rounds: on a busy machine a few differ so much that nothing is known of the link.
        result = self.result(self.edge(), "--link", link, "--policy", "static:1", tokens=160)
        self.assertEqual(result["link"], link)
        self.assertGreaterEqual(result["link_rtt_s"], 0.015)
        self.assertGreater(result["total_s"], 0.02 * result["rounds"])


class Trouble(DeviceTest):
    def start(self, edge, *arguments):
        return subprocess.Popen(
            [cli.GELATO, "device", "--edge", edge.address, "-p", STORY, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli.environment(),
            bufsize=0,  # communicate() would not see what a buffer holds
        )  # fmt: skip

    def test_ctrl_c_keeps_the_text_so_far(self):
        path = self.folder / "r.json"
        device = self.start(self.edge(), "-n", "-1", "--link", "rate=1mbit,delay=50ms", "--json",
                            path)  # fmt: skip
        begun = device.stdout.read(4)
        device.send_signal(signal.SIGINT)
        rest, _ = device.communicate(timeout=cli.DEADLINE_S)
        self.assertEqual(device.returncode, 0)
        result = json.loads(path.read_text())
        self.assertEqual(result["stop"], "interrupted")
        self.assertEqual((begun + rest).decode(), result["output"] + "\n")

    def test_ctrl_c_while_the_edge_is_gone_does_too(self):
        edge = self.edge()
        device = self.start(edge, "-n", "-1", "--link", "rate=1mbit,delay=50ms")
        device.stdout.read(4)
        edge.end(signal.SIGKILL)
        self.assertIn(b"waiting for it", device.stderr.readline())
        device.send_signal(signal.SIGINT)
        device.communicate(timeout=cli.DEADLINE_S)
        self.assertEqual(device.returncode, 0)

    def test_an_edge_that_goes_for_good_ends_the_text_or_the_draft_goes_on(self):
        for offline, code, note in (
            ("stop", FAILED, b"gelato: edge 127.0.0.1:"),
            ("draft", 0, b"not the target's text"),
        ):
            edge = self.edge()
            device = self.start(edge, "-n", "60", "--link", "rate=1mbit,delay=50ms",
                                "--when-offline", offline)  # fmt: skip
            device.stdout.read(4)
            edge.end(signal.SIGKILL)
            output, errors = device.communicate(timeout=cli.DEADLINE_S)
            self.assertEqual(device.returncode, code)
            self.assertIn(note, errors)
            self.assertEqual(b"<" in output, offline == "draft")

    def test_what_cannot_work_is_one_sentence(self):
        def refused(code, *arguments, words=()):
            done = cli.run("device", "-p", STORY, *arguments)
            self.assert_refused(done, code, *words)

        refused(USAGE, "--edge", "nowhere", words=("HOST:PORT",))
        refused(USAGE, "--link", "rate=fast", words=("rate",))
        refused(USAGE, "--policy", "best", words=("best",))
        token = self.folder / "token"
        token.write_text("secret-secret-secret\n")
        refused(USAGE, "--edge", "10.0.0.1:1", "--ca", token, words=("PEM",))
        refused(USAGE, "--insecure", "--ca", token, words=("without TLS",))
        refused(FAILED, "--ca", "missing.pem", words=("missing.pem",))
        refused(USAGE, "--edge", "10.0.0.1:1", "--insecure", "--token-file", token,
                words=("in the clear",))  # fmt: skip
        edge = self.edge()
        edge.end()
        refused(FAILED, "--edge", edge.address, words=("Connection refused", "gelato edge"))


if __name__ == "__main__":
    unittest.main()
