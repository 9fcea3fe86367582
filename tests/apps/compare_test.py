"""gelato demo, bench local and doctor: what they print, and that it agrees with the models."""

import json
import shutil
import sys
import unittest

import cli
from cli import FAILED

MANIFEST = cli.documented("Every result")
ROW = cli.documented("Rows")


class Comparison(cli.CommandTest):
    def check_rows(self, rows, repetitions, extra=frozenset()):
        for row in rows:
            self.assertEqual(set(row), ROW | extra)
            self.assertEqual(row["repetitions"], repetitions)
            for key in ("tokens_per_s", "decode_tokens_per_s", "speedup_vs_target"):
                self.assertLessEqual(row[key]["min"], row[key]["median"])
                self.assertLessEqual(row[key]["median"], row[key]["max"])
            self.assertGreaterEqual(
                row["decode_tokens_per_s"]["median"], row["tokens_per_s"]["median"]
            )
            self.assertAlmostEqual(row["mean_committed"] * row["target_passes_per_token"], 1.0)


class Demo(Comparison):
    def test_prints_texts_one_table_and_an_explanation(self):
        path = self.folder / "demo.json"
        result = cli.run(
            "demo", "-n", "24", "--repetitions", "2", "--edge-pass", "0", "--json", path
        )
        self.assert_works(result)
        shown = result.stdout.decode()
        self.assertIn("Every policy wrote exactly the text that the target writes alone.", shown)
        self.assertEqual(shown.count("x target alone"), 1)
        self.assertRegex(shown, r"\nSpeculation [^\n]* here: static:4, \d M draft runs at")
        data = json.loads(path.read_text())
        self.assertEqual(set(data), MANIFEST | cli.documented("gelato demo"))
        self.assertEqual(set(data["models"]), {"target", "draft", "small_draft"})
        self.check_rows(data["rows"], 2)
        alone, pair, small = data["rows"]
        self.assertEqual(alone["target_passes_per_token"], 1)
        self.assertEqual(alone["speedup_vs_target"]["median"], 1)
        for row in (pair, small):
            self.assertEqual(row["tokens"], alone["tokens"])
            self.assertGreater(row["acceptance_rate"], 0)
        self.assertEqual(len(data["texts"]), 3)
        for text in data["texts"]:
            self.assertIn(text["prompt"] + text["output"], shown)
            alone = cli.generate("-p", text["prompt"], "-n", "24", "--no-draft", "-q")
            self.assertEqual(alone.stdout.decode().rstrip("\n"), text["output"].rstrip("\n"))

    def test_needs_the_bundled_models(self):
        copy = shutil.copy(cli.GELATO, self.folder / "gelato")
        result = cli.subprocess.run([copy, "demo"], capture_output=True, check=False)
        self.assert_refused(result, FAILED, "bundled models")


class Bench(Comparison):
    EXTRA = cli.documented("gelato bench local", table=1)

    def test_without_a_peer(self):
        result = cli.run(
            "bench", "local", "--no-peer", "-n", "16", "--repetitions", "2", "--gamma", "1,3",
            "--policy", "p-min:0.5", "--policy", "edge-only", "-p", "Once upon", "-p", "Anna had",
            "--json", "-",
        )  # fmt: skip
        self.assert_works(result)
        self.assertIn(b"x target alone", result.stderr)
        data = json.loads(result.stdout)
        self.assertEqual(set(data), MANIFEST | cli.documented("gelato bench local"))
        self.assertIsNone(data["ratio_vs_llama_speculative_simple"])
        self.assertEqual(set(data["speedup_vs_target"]), {"1", "3"})
        self.assertEqual(data["prompts"], ["Once upon", "Anna had"])
        self.check_rows(data["rows"], 2, self.EXTRA)
        self.assertEqual(
            [(row["policy"], row["gamma"]) for row in data["rows"]],
            [("target-only", None), ("static:1", 1), ("static:3", 3), ("p-min:0.5", None),
             ("edge-only", None)],
        )  # fmt: skip
        for row in data["rows"]:
            self.assertEqual((row["engine"], row["text_vs_target"]), ("gelato", "identical"))
            self.assertEqual(row["tokens"], 32)
            self.assertTrue(0 <= row["outside_decode_fraction"] < 1)

    def peer(self, script):
        """A program in the place of llama-speculative-simple."""
        path = self.folder / "peer"
        path.write_text(f"#!{sys.executable}\n{script}")
        path.chmod(0o755)
        return path

    def test_beside_a_peer(self):
        log = self.folder / "arguments"
        peer = self.peer(
            "import sys\n"
            f"print(sys.argv[1:], file=open({str(log)!r}, 'a'))\n"
            "sys.stderr.write('0.0 I encoded    5 tokens in    0.002 seconds, speed: 2500.0 t/s\\n'\n"
            "  '0.0 I decoded   18 tokens in    0.090 seconds, speed:  200.0 t/s\\n'\n"
            "  '0.0 I n_drafted = 12\\n0.0 I n_accept  = 9\\n')\n"
        )
        prompt = "Once upon\\n a time"
        result = cli.run(
            "bench", "local", "--peer", peer, "-n", "16", "--repetitions", "1", "--gamma", "3",
            "-p", prompt, "-c", "200", "-t", "1", "--json", "-",
        )  # fmt: skip
        self.assert_works(result)
        data = json.loads(result.stdout)
        self.check_rows(data["rows"], 1, self.EXTRA)
        ours, theirs = data["rows"][1:]
        self.assertEqual((theirs["engine"], theirs["gamma"]), ("llama-speculative-simple", 3))
        self.assertAlmostEqual(theirs["decode_tokens_per_s"]["median"], 200)
        self.assertAlmostEqual(theirs["tokens_per_s"]["median"], 18 / (18 / 200 + 5 / 2500))
        self.assertAlmostEqual(theirs["acceptance_rate"], 0.75)
        self.assertAlmostEqual(theirs["mean_committed"], 2)
        self.assertIsNone(theirs["outside_decode_fraction"])
        self.assertEqual(theirs["text_vs_target"], "different")
        ratio = data["ratio_vs_llama_speculative_simple"]["3"]["median"]
        self.assertAlmostEqual(ratio, ours["decode_tokens_per_s"]["median"] / 200)
        # Tried, untimed, measured; each time the same work as ours.
        calls = log.read_text().splitlines()
        self.assertEqual(len(calls), 3)
        self.assertEqual(set(calls), {calls[0]})
        for words in (
            f"'-m', '{cli.TARGET.resolve()}'", f"'-md', '{cli.DRAFT.resolve()}'", "'-c', '200'",
            "'-t', '1'", "'-td', '1'", "'-n', '16'", "'--temp', '0'", "'--no-escape'",
            "'--spec-draft-n-max', '3'", "'--spec-draft-p-min', '0'", f"'-p', {prompt!r}",
        ):  # fmt: skip
            self.assertIn(words, calls[0])

    def test_a_peer_that_does_not_work(self):
        for script, words in [
            ("import sys; sys.exit('no such flag')", ["exit code 1", "no such flag"]),
            ("import os; os.abort()", ["signal 6"]),
            ("print('hello')", ["encoded"]),
            ("import sys; print('x' * (20 << 20))", ["bytes"]),
        ]:
            with self.subTest(script=script):
                result = cli.run("bench", "local", "--peer", self.peer(script), "--gamma", "1")
                self.assert_refused(result, FAILED, *words)
        result = cli.run("bench", "local", "--peer", self.folder / "none", "--gamma", "1")
        self.assert_refused(result, FAILED, "cannot start", "No such file")

    def test_beside_llama_cpp(self):
        if not (cli.ROOT / "build" / "peers" / "llama-speculative-simple").exists():
            self.skipTest("llama-speculative-simple is not built (make peers)")
        result = cli.run(
            "bench", "local", "-n", "24", "--repetitions", "1", "--gamma", "2", "--json", "-"
        )
        self.assert_works(result)
        data = json.loads(result.stdout)
        self.assertEqual(set(data["ratio_vs_llama_speculative_simple"]), {"2"})
        theirs = data["rows"][2]
        self.assertEqual(theirs["text_vs_target"], "identical")
        self.assertTrue(3 * 24 < theirs["tokens"] <= 3 * (24 + 2 + 1))


class Doctor(cli.CommandTest):
    def test_says_that_everything_works(self):
        path = self.folder / "doctor.json"
        result = cli.run("doctor", "--json", path)
        self.assert_works(result)
        data = json.loads(path.read_text())
        self.assertEqual(set(data), MANIFEST | cli.documented("gelato doctor"))
        self.assertTrue(data["healthy"])
        found = {check["subject"]: check for check in data["checks"]}
        self.assertEqual(
            list(found),
            ["gelato", "llama.cpp", "processors", "memory", "bundled models", "vocabulary",
             "chat template", "threads", "speculation", "meter battery", "meter hwmon",
             "meter rapl", "meter nvml", "output"],
        )  # fmt: skip
        self.assertNotIn("failed", {check["state"] for check in data["checks"]})
        self.assertIn("SHA-256", found["bundled models"]["text"])
        self.assertIn("4096 tokens", found["vocabulary"]["text"])
        self.assertGreater(found["speculation"]["data"]["speedup_vs_target"], 0)
        self.assertEqual(found["processors"]["data"][0]["kind"], "cpu")
        lines = result.stdout.decode().splitlines()
        hints = [line for line in lines if line.strip().startswith("hint: ")]
        self.assertEqual(len(lines) - len(hints), len(data["checks"]))
        for check in data["checks"]:
            self.assertEqual(check["hint"] is not None, f"hint: {check['hint']}" in str(hints))

    def test_fails_when_the_models_do_not_work(self):
        for arguments, reason in [
            (("-m", self.folder / "none"), "does not exist"),
            (("-m", self.tiny("a.gguf"), "-md", self.tiny("b.gguf", vocab=999)), "999"),
            (("-md", self.tiny("c.gguf", kind="recurrent")), "recurrent"),
        ]:
            result = cli.run("doctor", *arguments)
            self.assertEqual(result.returncode, FAILED)
            self.assertRegex(result.stdout.decode(), f"\nfailed +models +[^\n]*{reason}")

    def test_notices_a_bundled_model_that_changed(self):
        program = self.folder / "build" / "x" / "bin" / "gelato"
        program.parent.mkdir(parents=True)
        shutil.copy(cli.GELATO, program)
        shutil.copytree(cli.MODELS, self.folder / "assets" / "models")
        changed = self.folder / "assets" / "models" / cli.SMALL_DRAFT.name
        content = bytearray(changed.read_bytes())
        content[-1] ^= 1
        for damaged, reason in [(bytes(content), "SHA-256"), (bytes(content[:-1]), "1079487 bytes")]:
            changed.write_bytes(damaged)
            result = cli.subprocess.run(
                [program, "doctor", "--no-measure"], capture_output=True, check=False
            )
            self.assertEqual(result.returncode, FAILED, result.stdout)
            self.assertRegex(result.stdout.decode(), f"\nfailed +bundled models +[^\n]*{reason}")


if __name__ == "__main__":
    unittest.main()
