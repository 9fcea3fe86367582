"""A device and an edge in network namespaces with 5 % loss, 200 ms round trip and 1 Mbit/s between them,
and with no link at all for a while.

Rate: tc tbf. Loss: nft, at random. Delay: packets between two TUN devices are held back here, because
many kernels have no netem. Needs root, ip, tc, nft and /dev/net/tun; exits 77 with the reason without.
"""
import collections
import fcntl
import json
import os
import pathlib
import select
import shutil
import struct
import subprocess
import sys
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "release" / "bin"
GELATO = os.environ.get("GELATO", str(BIN / "gelato"))
GREEDY_CHECK = os.environ.get("GREEDY_CHECK", str(BIN / "greedy_check"))
TARGET = str(ROOT / "assets" / "models" / "gelato-tale-6m-q8_0.gguf")
PROMPTS = [
    "Once upon a time, there was a little fox who lived near the river. One morning",
    "Anna found a blue kite in the garden. She wanted",
]
DEADLINE_S = 240  # far longer than anything here takes: a hang is a failure
ONE_WAY_S = 0.1
CUT_S = 10.0
LOSS_PERCENT = 5
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def missing():
    """Why this test cannot run here; None if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "tc", "nft"):
        if shutil.which(tool) is None:
            return f"there is no {tool} (scripts/setup.sh installs it)"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    probe = f"gelato-probe-{os.getpid()}"
    tun = None
    try:
        tun = open_tun(f"gl{os.getpid()}p")
        sh("ip", "netns", "add", probe)
        sh("ip", "link", "set", f"gl{os.getpid()}p", "netns", probe)
        sh("ip", "netns", "exec", probe, "tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate",
           "1mbit", "burst", "4kb", "latency", "1s")
        sh("ip", "netns", "exec", probe, "nft", drop_rule())
    except subprocess.CalledProcessError as error:
        return f"the kernel refuses: {error.stderr.strip()}"
    except OSError as error:
        return f"the kernel refuses a TUN device: {error}"
    finally:
        subprocess.run(["ip", "netns", "del", probe], check=False, capture_output=True)
        if tun is not None:
            os.close(tun)
    return None


def sh(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def drop_rule():
    return ("add table ip loss; add chain ip loss in { type filter hook input priority 0; }; "
            "add rule ip loss in ip protocol tcp iifname != lo counter; "
            f"add rule ip loss in ip protocol tcp iifname != lo numgen random mod 100 < {LOSS_PERCENT} "
            "counter drop")


def open_tun(name):
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    except OSError:
        os.close(file)
        raise
    return file


class DelayLine:
    """Two TUN devices; what goes into one comes out of the other after ONE_WAY_S."""

    def __init__(self, names):
        self.files = [open_tun(name) for name in names]
        self.queues = [collections.deque(), collections.deque()]  # (due, packet) for that device
        self.cut = False  # what comes in then is lost
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.carry)

    def carry(self):
        while not self.done.is_set():
            due = min((queue[0][0] for queue in self.queues if queue), default=time.monotonic() + 0.1)
            readable, _, _ = select.select(self.files, [], [], max(0.0, due - time.monotonic()))
            for file in readable:
                packet = os.read(file, 65536)
                other = 1 - self.files.index(file)
                if not self.cut:
                    self.queues[other].append((time.monotonic() + ONE_WAY_S, packet))
            for file, queue in zip(self.files, self.queues):
                while queue and queue[0][0] <= time.monotonic():
                    os.write(file, queue.popleft()[1])

    def stop(self):
        self.done.set()
        self.thread.join()

    def close(self):
        for file in self.files:
            os.close(file)


class LossyLinkTest(unittest.TestCase):
    def setUp(self):
        self.spaces = [f"gelato-{os.getpid()}-{side}" for side in ("device", "edge")]
        names = [f"gl{os.getpid()}d", f"gl{os.getpid()}e"]
        self.line = line = DelayLine(names)
        self.addCleanup(line.close)
        for number, (space, name) in enumerate(zip(self.spaces, names), start=1):
            sh("ip", "netns", "add", space)
            self.addCleanup(subprocess.run, ["ip", "netns", "del", space], check=False)
            sh("ip", "link", "set", name, "netns", space)
            for command in (("ip", "link", "set", "lo", "up"),
                            ("ip", "addr", "add", f"10.77.0.{number}/24", "dev", name),
                            ("ip", "link", "set", name, "up"),
                            ("tc", "qdisc", "add", "dev", name, "root", "tbf", "rate", "1mbit",
                             "burst", "4kb", "latency", "1s"),
                            ("nft", drop_rule())):
                sh("ip", "netns", "exec", space, *command)
        line.thread.start()
        self.addCleanup(line.stop)  # before the namespaces take the devices away
        self.edge = subprocess.Popen(
            ["ip", "netns", "exec", self.spaces[1], GELATO, "edge", "--model", TARGET, "--listen",
             "10.77.0.2:8470", "--insecure"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(self.end_edge)
        self.assertIn("listening", self.edge.stdout.readline())

    def end_edge(self):
        self.edge.kill()
        self.edge.wait()
        self.edge.stdout.close()

    def test_a_link_that_is_cut_for_ten_seconds(self):
        """The cut begins when half of the text is there; the device finds it out and goes on."""
        device = subprocess.Popen(
            ["ip", "netns", "exec", self.spaces[0], GELATO, "device", "--edge", "10.77.0.2:8470",
             "--insecure", "-p", PROMPTS[0], "-n", "48", "--temp", "0", "--policy", "static:4",
             "--answer-timeout", "2", "--json", "-"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(device.stdout.close)
        self.addCleanup(device.stderr.close)
        self.addCleanup(device.kill)
        shown = ""
        while len(shown) < 60:  # of some 200 characters
            piece = device.stderr.read(1)
            self.assertTrue(piece, "the device ended: " + shown)
            shown += piece
        self.line.cut = True
        threading.Timer(CUT_S, setattr, [self.line, "cut", False]).start()
        out, _ = device.communicate(timeout=DEADLINE_S)
        self.assertEqual(device.returncode, 0)
        result = json.loads(out)
        self.assert_greedy(PROMPTS[0], result)
        self.assertGreaterEqual(result["link_losses"], 1)
        self.assertEqual(result["unverified_tokens"], 0)
        self.assertFalse(self.line.cut, "the text ended before the link was back")

    def write(self, prompt, *options):
        ended = subprocess.run(
            ["ip", "netns", "exec", self.spaces[0], GELATO, "device", "--edge", "10.77.0.2:8470",
             "--insecure", "-p", prompt, "-n", "48", "--temp", "0", "--json", "-", *options],
            capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout)

    def assert_greedy(self, prompt, result):
        """The text that the target writes alone, but for its ties."""
        alone = subprocess.run(
            [GELATO, "run", "--model", TARGET, "--no-draft", "-p", prompt, "-n", "48", "--temp", "0",
             "--json", "-"], capture_output=True, text=True, check=True, timeout=DEADLINE_S)
        alone = json.loads(alone.stdout)
        if result["output"] == alone["output"]:
            self.assertEqual(result["tokens"], alone["tokens"])
            return
        checked = subprocess.run(
            [GREEDY_CHECK, TARGET], capture_output=True, text=True, check=True, timeout=DEADLINE_S,
            input=json.dumps([{"prompt": prompt, "text": result["output"]}]))
        verdict = json.loads(checked.stdout)[0]
        self.assertIsNone(verdict["wrong_at"], result["output"])
        self.assertEqual(verdict["tokens"], result["tokens"])

    def counters(self, space):
        """Packets that came, and of them dropped."""
        rules = json.loads(sh("ip", "netns", "exec", space, "nft", "-j", "list", "ruleset"))
        found = [part["counter"]["packets"] for entry in rules["nftables"] if "rule" in entry
                 for part in entry["rule"]["expr"] if "counter" in part]
        return found[0], found[1]

    def test_text_is_the_targets(self):
        for prompt, policy in [(PROMPTS[0], "static:4"), (PROMPTS[1], "static:8"),
                               (PROMPTS[1], "edge-only"), (PROMPTS[0], "static:1")]:
            with self.subTest(policy=policy):
                result = self.write(prompt, "--policy", policy)
                self.assert_greedy(prompt, result)
                self.assertEqual(result["unverified_tokens"], 0)
                if policy != "edge-only":
                    # No answer can be faster than the link.
                    self.assertGreaterEqual(result["verify_s"], result["rounds"] * 2 * ONE_WAY_S)
        came, dropped = (sum(pair) for pair in zip(*map(self.counters, self.spaces)))
        print(f"{dropped} of {came} packets were lost")
        self.assertGreater(came, 200)
        self.assertGreater(dropped, 0)  # none of 200 are: once in 28 000 runs
        self.assertIsNone(self.edge.poll(), "the edge ended")


if __name__ == "__main__":
    if (reason := missing()) is not None:
        print("skipped:", reason)
        sys.exit(77)
    unittest.main()
