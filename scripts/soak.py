#!/usr/bin/env python3
"""Devices write text after text at one edge while devices and the edge are killed at random.

Every finished text must be the one that the target writes alone, byte by byte; what a killed device
had shown must be a beginning of it. So a token that is lost, doubled or wrong shows. Prints a line
of counts every half minute and a summary; exits 1 if a text was wrong, if a device failed without
having been killed, or if nothing was written.
"""
import argparse
import json
import os
import random
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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Counts:
    def __init__(self):
        self.lock = threading.Lock()
        self.values = dict.fromkeys(
            ("texts", "tokens", "wrong", "failed", "devices_killed", "edges_killed", "losses"), 0)

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


class Device(threading.Thread):
    """Writes texts until told to stop."""

    def __init__(self, number, args, edge, references, counts, stop, folder):
        super().__init__()
        self.args, self.edge, self.references = args, edge, references
        self.counts, self.stop, self.number = counts, stop, number
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
                   "--quiet", "--policy", "static:4", "--json", self.result]
        with self.lock:
            self.killed = False
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE)
        out, err = self.process.communicate()
        with self.lock:
            code, killed = self.process.returncode, self.killed
            self.process = None
        reference = self.references[prompt]
        if killed and code == -signal.SIGKILL:
            if not reference.startswith(out):
                self.complain("a killed device had shown", prompt, out)
        elif code != 0:
            self.counts.add(failed=1)
            print("soak: failed:", err.decode(errors="replace").strip()[-300:], flush=True)
        else:
            with open(self.result, encoding="utf-8") as file:
                result = json.load(file)
            self.counts.add(texts=1, tokens=result["tokens"],
                            losses=result.get("link_losses", 0))
            if out.rstrip(b"\n") != reference.rstrip(b"\n"):
                self.complain("a device wrote", prompt, out)

    def complain(self, what, prompt, out):
        self.counts.add(wrong=1)
        reference = self.references[prompt]
        same = len(os.path.commonprefix([out, reference]))
        print(f"soak: {what} another text than the target after {prompt[:30]!r}, from byte {same} "
              f"on: {out[same:same + 40]!r}, not {reference[same:same + 40]!r}", flush=True)


def reference_texts(args):
    texts = {}
    for prompt in PROMPTS:
        texts[prompt] = subprocess.run(
            [args.program, "run", "--no-draft", "-p", prompt, "-n", str(args.tokens), "--temp",
             "0", "--quiet"], check=True, stdout=subprocess.PIPE).stdout
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--devices", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-device-every", type=float, default=2.0, metavar="SECONDS")
    parser.add_argument("--kill-edge-every", type=float, default=20.0, metavar="SECONDS")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    references = reference_texts(args)
    counts, stop = Counts(), threading.Event()
    edge = Edge(args.program, args.devices)
    rss = []
    with tempfile.TemporaryDirectory() as folder:
        devices = [Device(i, args, edge, references, counts, stop, folder)
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
