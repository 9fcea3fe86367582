"""gelato run: what it writes, and that it is what the target alone would have written."""

import hashlib
import json
import re
import unittest

import cli
from cli import FAILED

STORY = "Once upon a time, there was a small dog"

KEYS = cli.documented("Every result") | cli.documented("gelato run")


def text_of(result) -> bytes:
    """Standard output without the line end that the command adds."""
    return result.stdout.removesuffix(b"\n")


class Losslessness(cli.CommandTest):
    def test_greedy_text_is_the_same_with_any_draft_and_policy(self):
        alone = cli.generate("-p", STORY, "-n", "80", "--no-draft", "-q")
        self.assert_works(alone)
        self.assertGreater(len(alone.stdout), 100)
        for draft in (cli.DRAFT, cli.SMALL_DRAFT, cli.TARGET):
            for policy in ("static:1", "static:4", "static:64", "p-min", "edge-only"):
                with self.subTest(draft=draft.name, policy=policy):
                    result = cli.generate(
                        "-p", STORY, "-n", "80", "-md", draft, "--policy", policy, "-q"
                    )
                    self.assert_works(result)
                    self.assertEqual(result.stdout, alone.stdout)

    def test_so_is_the_text_of_a_random_pair(self):
        target = self.tiny("target.gguf")
        draft = self.tiny("draft.gguf", layers=1)
        alone = cli.generate("-m", target, "-p", "ab", "-n", "100", "-q")
        pair = cli.generate("-m", target, "-md", draft, "-p", "ab", "-n", "100", "-q")
        self.assert_works(pair)
        self.assertEqual(pair.stdout, alone.stdout)

    def test_a_seed_repeats_a_sampled_text_and_another_one_does_not(self):
        def sampled(*more):
            result = cli.generate("-p", STORY, "-n", "60", "--temp", "0.8", "-q", *more)
            self.assert_works(result)
            return result.stdout

        self.assertEqual(sampled("-s", "7"), sampled("-s", "7"))
        self.assertNotEqual(sampled("-s", "7"), sampled("-s", "8"))
        self.assertEqual(sampled("-s", "7", "--no-draft"), sampled("-s", "7", "--no-draft"))
        # Sixty tokens that agree by chance: far below one in a million.
        self.assertNotEqual(sampled(), sampled())

    def test_the_seed_of_a_result_recreates_it(self):
        path = self.folder / "r.json"
        first = cli.generate("-n", "40", "--temp", "1", "--json", path)
        self.assert_works(first)
        seed = json.loads(path.read_text())["seed"]
        again = cli.generate("-n", "40", "--temp", "1", "--seed", str(seed))
        self.assertEqual(again.stdout, first.stdout)


class Lengths(cli.CommandTest):
    def result(self, *arguments):
        done = cli.generate(*arguments, "--json", "-")
        self.assert_works(done)
        return json.loads(done.stdout)

    def test_the_limit_is_kept_exactly(self):
        for n in (1, 2, 3, 5, 17):
            for policy in ("static:4", "static:64"):
                result = self.result("-p", STORY, "-n", str(n), "--policy", policy)
                self.assertEqual((result["tokens"], result["stop"]), (n, "limit"))

    def test_the_context_ends_a_text(self):
        model = self.tiny(ctx_size=64, eos=299)
        result = self.result("-m", model, "-p", "ab", "-n", "-1")
        self.assertEqual(result["stop"], "context")
        # The last token is written but never read.
        self.assertEqual(result["prompt_tokens"] + result["tokens"], 64 + 1)

    def test_the_model_ends_a_text(self):
        prompt = "Question: Tom has 3 apples and buys 4 more. How many apples has he?\nAnswer:"
        for policy in ("static:1", "static:8"):
            result = self.result("-p", prompt, "-n", "-1", "--policy", policy)
            self.assertEqual(result["stop"], "eog")
            self.assertNotIn("</s>", result["output"])


class StopStrings(cli.CommandTest):
    def test_end_the_text_before_them_wherever_the_tokens_part(self):
        whole = cli.generate("-p", STORY, "-n", "60", "-q").stdout.decode()
        for begin in (5, 20, 41, 60):
            for size in (1, 3, 9, 20):
                stop = whole[begin : begin + size]
                with self.subTest(stop=stop):
                    result = cli.generate("-p", STORY, "-n", "60", "-q", "--stop", stop)
                    self.assert_works(result)
                    self.assertEqual(text_of(result).decode(), whole[: whole.index(stop)])

    def test_the_first_of_several_counts_and_the_json_says_so(self):
        path = self.folder / "r.json"
        result = cli.generate(
            "-p", STORY, "-n", "60", "--stop", "zebra", "--stop", ".", "--json", path
        )
        self.assert_works(result)
        self.assertNotIn(b".", result.stdout)
        self.assertEqual(json.loads(path.read_text())["stop"], "stop_string")

    def test_what_only_begins_like_one_is_written(self):
        whole = cli.generate("-p", STORY, "-n", "40", "-q")
        almost = whole.stdout.decode().rstrip("\n")[-3:] + "\x01"
        result = cli.generate("-p", STORY, "-n", "40", "-q", "--stop", almost)
        self.assertEqual(result.stdout, whole.stdout)


class Chat(cli.CommandTest):
    def test_needs_a_template(self):
        self.assert_refused(cli.generate("--chat"), FAILED, "no chat template")

    def test_needs_a_template_that_can_be_applied(self):
        model = self.tiny(chat_template="{{ nothing known }}")
        self.assert_refused(cli.generate("-m", model, "--chat", "-p", "a"), FAILED, "--chat")

    def test_wraps_the_prompt(self):
        chatml = "{% for m in messages %}<|im_start|>{{ m.role }}{{ m.content }}<|im_end|>{% endfor %}"
        model = self.tiny(chat_template=chatml)
        sizes = {}
        for flags in ((), ("--chat",)):
            result = cli.generate("-m", model, "-p", "ab", "--json", "-", *flags)
            self.assert_works(result)
            sizes[flags] = json.loads(result.stdout)["prompt_tokens"]
        self.assertGreater(sizes[("--chat",)], sizes[()] + 10)


class Output(cli.CommandTest):
    def test_json_on_standard_output_is_all_there_is(self):
        result = cli.generate("-p", STORY, "-n", "20", "--json", "-")
        self.assert_works(result)
        data = json.loads(result.stdout)
        self.assertEqual(set(data), KEYS)
        self.assertIn(data["output"].encode(), result.stderr)
        digest = hashlib.sha256(data["output"].encode()).hexdigest()
        self.assertEqual(data["output_sha256"], digest)
        self.assertEqual(set(data["models"]), {"draft", "target"})
        for role, path in (("draft", cli.DRAFT), ("target", cli.TARGET)):
            content = path.read_bytes()
            self.assertEqual(
                data["models"][role],
                {
                    "file": path.name,
                    "bytes": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                },
            )
        self.assertEqual(data["policy"], "static:4")
        self.assertEqual(data["tokens"], 20)
        self.assertLessEqual(data["accepted"], data["drafted"])
        self.assertEqual(sum(data["stop_reasons"].values()), data["rounds"])
        self.assertGreaterEqual(data["accepted"] + data["rounds"], data["tokens"])
        self.assertGreaterEqual(data["total_s"], data["draft_s"] + data["verify_s"])
        self.assertTrue(0 <= data["outside_decode_fraction"] <= 1)

    def test_a_policy_with_prices_says_what_it_decided_by(self):
        arguments = ("--policy", "gelato", "--energy", "model:phone", "-n", "60", "--json", "-")
        data = json.loads(cli.generate(*arguments).stdout)
        why = data["why"]
        self.assertEqual(set(why), cli.documented("Why"))
        self.assertEqual(sum(why["rounds"].values()), data["rounds"])
        self.assertEqual(len(why["trace"]), data["rounds"])
        self.assertEqual(data["stop_reasons"]["policy"], 0, "it gives its reasons")
        self.assertGreater(why["trace"][-1]["theta_tokens_per_s"], 0)
        tested = sum(bin["tokens"] for bin in why["calibration"]["bins"])
        self.assertEqual(why["calibration"]["tokens"], tested)
        # The last token of a draft that ends at its limit, or with the text, is not asked about.
        unasked = data["stop_reasons"]["limit"] + data["stop_reasons"]["eog"]
        self.assertLessEqual(data["accepted"], tested + unasked)
        self.assertFalse(why["budget_infeasible"])
        self.assertIsNone(json.loads(cli.generate("-n", "5", "--json", "-").stdout)["why"])

    def test_a_budget_that_cannot_be_kept_is_reported(self):
        result = cli.generate("--policy", "gelato:joules=1e-9", "--energy", "model:phone",
                              "-n", "60", "--json", "-")  # fmt: skip
        self.assertTrue(json.loads(result.stdout)["why"]["budget_infeasible"])
        self.assertIn(b"the energy budget cannot be kept here", result.stderr)

    def test_target_alone_in_json(self):
        result = cli.generate("--no-draft", "--json", "-", "-n", "5")
        data = json.loads(result.stdout)
        self.assertEqual(set(data), KEYS)
        self.assertEqual((data["policy"], data["drafted"]), ("target-only", 0))
        self.assertIsNone(data["acceptance_rate"])
        self.assertEqual(set(data["models"]), {"target"})

    def test_summary_is_on_standard_error_unless_quiet(self):
        result = cli.generate("-n", "20")
        self.assertRegex(result.stderr, rb"\A20 tokens in \d+\.\d\d s, \d+ tok/s; .* saved\n\Z")
        self.assertEqual(cli.generate("-n", "20", "-q").stderr, b"")

    def test_origin_is_bracketed_without_colours(self):
        plain = cli.generate("-p", STORY, "-n", "40", "-q")
        marked = cli.generate("-p", STORY, "-n", "40", "-q", "--show-origin")
        self.assertNotIn(b"\x1b", marked.stdout)
        self.assertRegex(marked.stdout, rb"\[[^]]+\]")
        self.assertEqual(re.sub(rb"[][{}]", b"", marked.stdout), plain.stdout)

    def test_llama_cpp_short_options(self):
        long = cli.generate(
            "--model", cli.TARGET, "--model-draft", cli.SMALL_DRAFT, "--threads-draft", "1",
            "--gpu-layers", "0", "--gpu-layers-draft", "0", "-q",
        )  # fmt: skip
        short = cli.generate(
            "-m", cli.TARGET, "-md", cli.SMALL_DRAFT, "-td", "1", "-ngl", "0", "-ngld", "0", "-q"
        )
        self.assert_works(short)
        self.assertEqual(short.stdout, long.stdout)

    def test_verbose_shows_what_llama_cpp_logs(self):
        self.assertIn(b"llama", cli.generate("-v", "-n", "1").stderr)


if __name__ == "__main__":
    unittest.main()
