#!/usr/bin/env python3
"""Soak: many devices against one edge, with kills of both, for as long as wanted.

    scripts/soak.py --minutes 30 --devices 16

Every device generates greedily over loopback, again and again, with a random prompt, policy and emulated
link. One in eight is killed (SIGKILL) on the way; the edge is killed and restarted on the same port every
few minutes. A device that was not killed must end with exit code 0 and the text that the target writes
alone. A text may differ where the target's two best tokens are closer than the numeric tolerance, because
the edge decodes many devices in one batch (docs/modules/engine.md): such texts are counted apart, and must
still have the right number of tokens. Prints one line a minute and a JSON summary; exit code 1 if a token
was lost or doubled or a process died by itself.
"""

import argparse
import json
import random
import re
import signal
import subprocess
import sys
import threading
import time

PROMPTS = [
    "Once upon a time, there was a small boat.",
    "One day, Mia found a shiny stone in the garden.",
    "Tom wanted to build a house for his dog.",
    "Question: Ben has 4 apples and buys 5 more. How many apples does he have?\nAnswer:",
    "The rabbit and the bird were best friends.",
    "Question: A box holds 6 pens. How many pens are in 7 boxes?\nAnswer:",
]
POLICIES = ["static:1", "static:4", "static:8", "p-min:0.6", "edge-only"]
LINKS = ["", "rate=2mbit,delay=5ms", "rate=1mbit,delay=20ms,jitter=5ms,loss=1%"]


class Edge:
    """The server, restarted on the port that its first life was given."""

    def __init__(self, gelato, devices):
        self.gelato, self.devices, self.address, self.process = gelato, devices, "127.0.0.1:0", None
        self.lock = threading.Lock()
        self.stopping, self.own_deaths, self.restarts = False, 0, 0
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.gelato, "edge", "--listen", self.address, "--max-sessions", str(4 * self.devices),
             "--max-sessions-per-client", str(4 * self.devices), "--ctx-size", "16384", "--lease", "20"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        self.address = re.search(r"127\.0\.0\.1:\d+", line).group(0)

    def restart(self, gap):
        with self.lock:
            if self.process.poll() is not None:
                self.own_deaths += 1
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            time.sleep(gap)  # the device must bridge this
            self.restarts += 1
            self.start()

    def rss_mib(self):
        try:
            with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
                return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024
        except (OSError, AttributeError):
            return float("nan")


class Counts:
    def __init__(self):
        self.lock = threading.Lock()
        self.values = {k: 0 for k in ("generations", "identical", "other_text", "killed", "refused",
                                      "failed",
                                      "wrong_length", "tokens", "link_losses")}
        self.failures = []

    def add(self, **what):
        with self.lock:
            for key, n in what.items():
                self.values[key] += n

    def failure(self, text):
        with self.lock:
            self.failures.append(text[:400])


def reference(gelato, prompt, n):
    out = subprocess.run([gelato, "run", "--no-draft", "-p", prompt, "-n", str(n), "-q", "--json", "-"],
                         check=True, capture_output=True, text=True).stdout
    result = json.loads(out)
    return result["output"], result["tokens"]


def device(args, edge, texts, counts, deadline, seed):
    rng = random.Random(seed)
    while time.monotonic() < deadline:
        prompt = rng.choice(PROMPTS)
        command = [args.gelato, "device", "--edge", edge.address, "-p", prompt, "-n", str(args.tokens),
                   "--policy", rng.choice(POLICIES), "--when-offline", "wait", "--give-up", "120",
                   "-q", "--json", "-"]
        link = rng.choice(LINKS)
        command += ["--link", link] if link else []
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if rng.random() < 0.125:
            time.sleep(rng.uniform(0.05, 1.5))
            child.kill()
            child.communicate()
            counts.add(killed=1)
            continue
        out, err = child.communicate()
        if child.returncode != 0 and "cannot connect" in err:
            counts.add(refused=1)  # it started while there was no edge, and says so
            time.sleep(1)
            continue
        counts.add(generations=1)
        if child.returncode != 0:
            counts.add(failed=1)
            counts.failure(f"exit {child.returncode}: {err}")
            continue
        result = json.loads(out)
        want, tokens = texts[prompt]
        counts.add(tokens=result["tokens"], link_losses=result["link_losses"])
        if result["output"] == want:
            counts.add(identical=1)
        elif result["tokens"] == tokens or result["stop"] == "eog":
            counts.add(other_text=1)
        else:
            counts.add(wrong_length=1)
            counts.failure(f"{result['tokens']} tokens instead of {tokens}: {prompt}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--devices", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--edge-life", type=float, default=240, help="seconds between kills of the edge")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gelato", default="build/release/bin/gelato")
    args = parser.parse_args()

    texts = {p: reference(args.gelato, p, args.tokens) for p in PROMPTS}
    counts, edge = Counts(), Edge(args.gelato, args.devices)
    begin = time.monotonic()
    deadline = begin + 60 * args.minutes
    workers = [threading.Thread(target=device,
                                args=(args, edge, texts, counts, deadline, 1000 * args.seed + i))
               for i in range(args.devices)]
    for worker in workers:
        worker.start()
    rng, rss, next_kill = random.Random(args.seed), [], begin + args.edge_life
    life_start = begin
    while time.monotonic() < deadline:
        time.sleep(min(10, max(0.1, deadline - time.monotonic())))
        now = time.monotonic()
        rss.append((round(now - life_start), edge.rss_mib()))
        if now >= next_kill:
            edge.restart(rng.uniform(0, 5))
            life_start, next_kill = now, now + args.edge_life
        if len(rss) % 6 == 0:
            print(f"{(now - begin) / 60:5.1f} min  edge {rss[-1][1]:.0f} MiB after {rss[-1][0]} s  "
                  f"{json.dumps(counts.values)}", flush=True)
    for worker in workers:
        worker.join()
    edge.own_deaths += edge.process.poll() is not None
    edge.process.terminate()
    edge.process.wait()
    known = [(t, m) for t, m in rss if m == m]
    summary = {"minutes": args.minutes, "devices": args.devices, **counts.values,
               "edge_restarts": edge.restarts, "edge_died_by_itself": edge.own_deaths,
               "edge_rss_mib_max": max(m for _, m in known),
               "edge_rss_mib_after_60_s_max": max((m for t, m in known if t <= 70), default=None),
               "failures": counts.failures[:10]}
    print(json.dumps(summary, indent=2))
    return 1 if counts.values["wrong_length"] or counts.values["failed"] or edge.own_deaths else 0


if __name__ == "__main__":
    sys.exit(main())
