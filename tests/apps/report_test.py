"""gelato report, --html and --csv; and the page in a real browser, if there is one."""

import csv
import html.parser
import io
import json
import os
import re
import shutil
import subprocess
import unittest

import cli
from cli import FAILED, USAGE

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=document.title='taken'>"


def sweep(rows=24):
    """A result like a simulation's, with a policy that has a name nobody should trust."""
    made = []
    for bandwidth in (1, 2, 4, 10):
        for rtt in (0.01, 0.1):
            for policy in ("static:4", "gelato", HOSTILE):
                made.append({
                    "label": policy, "policy": policy,
                    "tokens_per_s": 20.0 + bandwidth + len(policy) % 5 - 10 * rtt,
                    "joules_per_token": 0.5 / bandwidth + rtt, "energy_source": "model:paper",
                    "cell": {"bandwidth_hz": bandwidth * 1e6,
                             "swept": {"link.bandwidth": f"{bandwidth}mhz", "rtt": rtt}},
                })  # fmt: skip
    return {
        "scenario": "a sweep", "description": "Speed and energy " + HOSTILE, "version": "0.1.0",
        "commit": None, "seed": 1, "machine": {"cpu": "a cpu", "cores": 2, "memory_bytes": 1},
        "models": {}, "summary": {"throughput_gain": {"gelato": 0.25}}, "rows": made[:rows],
    }  # fmt: skip


class Structure(html.parser.HTMLParser):
    """The elements of a page that fetch or run something, and the texts of its cells."""

    def __init__(self):
        super().__init__()
        self.active = []
        self.cells = []
        self.in_cell = False

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "img", "iframe", "object", "embed", "link", "form", "audio", "video"):
            self.active.append((tag, dict(attrs)))
        self.active += [(tag, name) for name, _ in attrs if name.startswith("on")]
        self.in_cell = tag == "td"

    def handle_data(self, data):
        if self.in_cell:
            self.cells.append(data)
            self.in_cell = False


class ReportTest(cli.CommandTest):
    def write(self, result, name="result.json"):
        path = self.folder / name
        path.write_text(json.dumps(result))
        return path


class Report(ReportTest):
    def test_the_page_has_the_result_and_runs_only_its_own(self):
        page = self.folder / "page.html"
        self.assert_works(cli.run("report", self.write(sweep()), "--html", page))
        structure = Structure()
        structure.feed(page.read_text(encoding="utf-8"))
        self.assertEqual({tag for tag, _ in structure.active}, {"script"})
        self.assertEqual(len(structure.active), 4)
        self.assertFalse([a for _, a in structure.active if "src" in a])
        self.assertIn(HOSTILE, structure.cells)
        self.assertIn("model:paper", structure.cells)

    def test_csv_reads_back(self):
        done = cli.run("report", self.write(sweep()), "--csv", "-")
        self.assert_works(done)
        rows = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
        self.assertEqual(len(rows), 24)
        self.assertEqual(rows[2]["label"], HOSTILE)
        self.assertEqual(float(rows[0]["tokens_per_s"]), sweep()["rows"][0]["tokens_per_s"])

    def test_the_overview_has_a_line_per_series(self):
        done = cli.run("report", self.write(sweep()))
        self.assert_works(done)
        text = done.stdout.decode()
        self.assertIn("energy: model:paper", text)
        self.assertRegex(text, r"static:4, 0\.01 +[\u2581-\u2588]{4} ")

    def test_what_is_no_result_is_refused(self):
        damaged = self.folder / "damaged.json"
        damaged.write_text('{"rows": [')
        for file, code, word in [
            (damaged, FAILED, "damaged.json"),
            (self.write([1], "list.json"), FAILED, "not an object"),
            (self.folder / "none.json", FAILED, "none.json"),
        ]:
            self.assert_refused(cli.run("report", file), code, word)
        self.assert_refused(
            cli.run("report", damaged, "--json", "-", "--csv", "-"), USAGE, "standard output"
        )
        self.assert_refused(cli.run("report"), USAGE, "RESULT")

    def test_a_benchmark_writes_all_three(self):
        result = cli.run(
            "bench", "local", "--gamma", "2", "--no-peer", "-n", "8", "--repetitions", "1",
            "--json", self.folder / "b.json", "--html", self.folder / "b.html",
            "--csv", self.folder / "b.csv",
        )  # fmt: skip
        self.assert_works(result)
        labels = [row["label"] for row in json.loads((self.folder / "b.json").read_text())["rows"]]
        with (self.folder / "b.csv").open(newline="") as file:
            self.assertEqual([row["label"] for row in csv.DictReader(file)], labels)
        self.assertIn("static:2", (self.folder / "b.html").read_text())


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


@unittest.skipUnless(BROWSER, "there is no Chromium on this machine")
class Browser(ReportTest):
    """What the scripts make of the page. No network: the page's own policy forbids it."""

    def render(self, result, *flags):
        page = self.folder / "page.html"
        self.assert_works(cli.run("report", self.write(result), "--html", page))
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
             f"--user-data-dir={self.folder / 'profile'}", "--virtual-time-budget=3000", *flags,
             "--dump-dom", page.as_uri()],
            capture_output=True, timeout=cli.DEADLINE_S, check=False,
            env=os.environ | {"HOME": os.fspath(self.folder)},
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        log = [line for line in done.stderr.decode().splitlines() if ":CONSOLE" in line]
        return done.stdout.decode(), log

    def test_plots_are_drawn_and_nothing_complains(self):
        dom, log = self.render(sweep())
        self.assertIn('data-ready="true"', dom)
        self.assertEqual(log, [])
        self.assertEqual(dom.count("<canvas"), 3)  # speed, energy, trade-off
        self.assertEqual(dom.count("<figure"), 3)
        self.assertNotIn("<title>taken", dom)
        self.assertNotIn("<img", dom)
        # Everything that acts can be reached with the keyboard.
        self.assertGreater(dom.count('aria-pressed="true"'), 5)
        self.assertEqual(len(re.findall(r'class="u-over"[^>]*tabindex="0"', dom)), 3)

    def test_a_comparison_has_bars(self):
        rows = [{"label": f"row {i}", "tokens_per_s": {"median": i, "min": i - 1, "max": i + 1}}
                for i in range(1, 4)]  # fmt: skip
        dom, log = self.render({"benchmark": "local", "rows": rows})
        self.assertEqual(log, [])
        self.assertEqual(dom.count('class="bar"'), 3)
        self.assertEqual(dom.count('class="spread"'), 3)

    def test_results_of_any_shape_leave_a_page(self):
        for result in ({}, {"rows": []}, {"rows": [{"label": "a"}]}, {"devices": 3},
                       {"rows": [{"label": None, "x": "y"}, {"z": [1, 2]}]}):  # fmt: skip
            with self.subTest(result=result):
                dom, log = self.render(result)
                self.assertIn('data-ready="true"', dom)
                self.assertEqual(log, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)  # so that a skipped test says why
