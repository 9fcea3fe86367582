#!/usr/bin/env python3
"""Devices write text after text at one edge, under several policies and links, while devices and the
edge are killed at random.

Every finished text, and what a killed device had shown, must be what the target writes greedily. Most
are, byte by byte, the text that the target writes alone; the others are checked token by token
(greedy_check): only where the target's best tokens are too close to call may they differ. So a token
that is lost, doubled or wrong shows. Prints a line of counts every half minute and a summary; exits 1
if a text was wrong, if a device failed without having been killed, or if nothing was written.
"""
import argparse
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PROMPTS = [
    "Once upon a time, there was a little fox who lived near the river. One morning",
    "Anna found a blue kite in the garden. She wanted",
    "Tom had a small red boat. Every day after school he",
    "Question: A baker makes 12 buns in the morning and 8 buns in the afternoon. She sells 15 "
    "buns. How many buns are left?\nAnswer:",
]
POLICIES = ["static:1", "static:4", "static:8", "p-min:0.6", "edge-only"]
LINKS = ["", "", "rate=2mbit,delay=5ms", "rate=1mbit,delay=20ms,jitter=5ms,loss=1%"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Counts:
    def __init__(self):
        self.lock = threading.Lock()
        self.values = dict.fromkeys(
            ("texts", "tokens", "near_ties", "refused", "wrong", "failed", "devices_killed", "edges_killed", "losses"), 0)

    def add(self, **more):
        with self.lock:
            for key, value in more.items():
                self.values[key] += value

    def __str__(self):
        with self.lock:
            return " ".join(f"{k}={v}" for k, v in self.values.items())


class Edge:
    """gelato edge, always on the same port."""

    def __init__(self, program, devices):
        self.port = free_port()
        self.command = [program, "edge", "--listen", f"127.0.0.1:{self.port}",
                        "--max-sessions", str(4 * devices), "--max-sessions-per-client",
                        str(4 * devices), "--lease", "10"]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        if "listening" not in self.process.stdout.readline():
            sys.exit("soak: the edge does not start")

    def kill_and_restart(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.start()

    def rss_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return 0.0


class Judge:
    """Says whether a text is the target's."""

    def __init__(self, args, references, counts):
        self.args, self.references, self.counts = args, references, counts
        self.lock = threading.Lock()
        self.known = {}

    def check(self, prompt, text, tokens):
        """`tokens`: how many the text has; None for the beginning of one."""
        reference = self.references[prompt]
        if text == reference or (tokens is None and reference.startswith(text)):
            return
        with self.lock:
            if (prompt, text) not in self.known:
                self.known[prompt, text] = self.look(prompt, text)
            verdict = self.known[prompt, text]
        if verdict["wrong_at"] is None and tokens in (None, verdict["tokens"]):
            self.counts.add(near_ties=1)
            return
        self.counts.add(wrong=1)
        print(f"soak: wrong: {verdict}, {tokens} tokens, after {prompt[:30]!r}: {text!r}",
              flush=True)

    def look(self, prompt, text):
        answer = subprocess.run([self.args.checker, self.args.target],
                                input=json.dumps([{"prompt": prompt, "text": text}]),
                                capture_output=True, check=True, text=True)
        return json.loads(answer.stdout)[0]


class Device(threading.Thread):
    """Writes texts until told to stop."""

    def __init__(self, number, args, edge, judge, counts, stop, folder):
        super().__init__()
        self.args, self.edge, self.judge = args, edge, judge
        self.counts, self.stop, self.number = counts, stop, number
        self.chance = random.Random(args.seed * 1000 + number)
        self.result = os.path.join(folder, f"{number}.json")
        self.process = None
        self.killed = False
        self.lock = threading.Lock()

    def kill(self):
        with self.lock:
            if self.process is not None and self.process.poll() is None:
                self.killed = True
                self.process.kill()
                self.counts.add(devices_killed=1)

    def run(self):
        turn = self.number
        while not self.stop.is_set():
            self.write(PROMPTS[turn % len(PROMPTS)])
            turn += 1

    def write(self, prompt):
        command = [self.args.program, "device", "--edge", f"127.0.0.1:{self.edge.port}",
                   "--insecure", "-p", prompt, "-n", str(self.args.tokens), "--temp", "0",
                   "--quiet", "--policy", self.chance.choice(POLICIES), "--json", self.result]
        link = self.chance.choice(LINKS)
        command += ["--link", link] if link else []
        with self.lock:
            self.killed = False
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE)
        out, err = self.process.communicate()
        with self.lock:
            code, killed = self.process.returncode, self.killed
            self.process = None
        if killed and code == -signal.SIGKILL:
            # After a finished text the program ends the line.
            self.judge.check(prompt, out.decode(errors="replace").removesuffix("\n"), None)
        elif code != 0 and not out and re.search(rb"gelato: (cannot connect to )?edge 127", err):
            self.counts.add(refused=1)  # no edge at its first contact, and it says so
        elif code != 0:
            self.counts.add(failed=1)
            print("soak: failed:", err.decode(errors="replace").strip()[-300:], flush=True)
        else:
            with open(self.result, encoding="utf-8") as file:
                result = json.load(file)
            self.counts.add(texts=1, tokens=result["tokens"],
                            losses=result.get("link_losses", 0))
            self.judge.check(prompt, result["output"], result["tokens"])


def reference_texts(args):
    texts = {}
    for prompt in PROMPTS:
        answer = subprocess.run(
            [args.program, "run", "--no-draft", "-p", prompt, "-n", str(args.tokens), "--temp",
             "0", "--quiet", "--json", "-"], check=True, capture_output=True)
        texts[prompt] = json.loads(answer.stdout)["output"]
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--checker", required=True, help="greedy_check")
    parser.add_argument("--target", default="assets/models/gelato-tale-6m-q8_0.gguf")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--devices", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-device-every", type=float, default=2.0, metavar="SECONDS")
    parser.add_argument("--kill-edge-every", type=float, default=20.0, metavar="SECONDS")
    args = parser.parse_args()
    for needed in (args.program, args.checker, args.target):
        if not os.path.isfile(needed):
            sys.exit(f"soak: there is no {needed}; run: make build")
    chance = random.Random(args.seed)
    references = reference_texts(args)
    counts, stop = Counts(), threading.Event()
    judge = Judge(args, references, counts)
    edge = Edge(args.program, args.devices)
    rss = []
    with tempfile.TemporaryDirectory() as folder:
        devices = [Device(i, args, edge, judge, counts, stop, folder)
                   for i in range(args.devices)]
        for device in devices:
            device.start()
        begin = time.monotonic()
        next_device = chance.expovariate(1 / args.kill_device_every)
        next_edge = chance.expovariate(1 / args.kill_edge_every)
        next_line = 30.0
        try:
            while (now := time.monotonic() - begin) < args.minutes * 60:
                if now >= next_device:
                    chance.choice(devices).kill()
                    next_device = now + chance.expovariate(1 / args.kill_device_every)
                if now >= next_edge:
                    edge.kill_and_restart()
                    counts.add(edges_killed=1)
                    next_edge = now + chance.expovariate(1 / args.kill_edge_every)
                if now >= next_line:
                    rss.append(edge.rss_mib())
                    print(f"t={now:.0f}s {counts} edge_rss_mib={rss[-1]:.0f}", flush=True)
                    next_line += 30.0
                time.sleep(0.05)
        finally:
            stop.set()
            for device in devices:
                device.join()
            edge.process.terminate()
            edge.process.wait()
            edge.process.stdout.close()
    low, high = (min(rss), max(rss)) if rss else (0.0, 0.0)
    print(f"soak: {args.minutes:g} min, {args.devices} devices: {counts} "
          f"edge_rss_mib={low:.0f}..{high:.0f}")
    bad = counts.values["wrong"] + counts.values["failed"]
    return 1 if bad or not counts.values["texts"] else 0


if __name__ == "__main__":
    sys.exit(main())
