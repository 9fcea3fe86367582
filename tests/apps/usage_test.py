"""What people type wrongly, and what they pipe in: one sentence, the documented exit code."""

import unittest

import cli
from cli import FAILED, USAGE


class Options(cli.CommandTest):
    def check(self, table, command):
        for arguments, word in table:
            with self.subTest(arguments=arguments):
                self.assert_refused(cli.run(*command, *arguments), USAGE, word)

    def test_numbers_out_of_range_or_not_numbers(self):
        self.check(
            [
                (("-n", "0"), "--predict"),
                (("-n", "-2"), "--predict"),
                (("-n", "x"), "--predict"),
                (("-n", "1e3"), "--predict"),
                (("-n", "99999999999999999999"), "--predict"),
                (("-c", "0"), "--ctx-size"),
                (("-c", "-5"), "--ctx-size"),
                (("-c", "99999999999"), "--ctx-size"),
                (("-c", "5000"), "5000"),
                (("-t", "0"), "--threads"),
                (("-t", "-1"), "--threads"),
                (("-t", "1.5"), "--threads"),
                (("-t", "100000"), "--threads"),
                (("-t", "4294967297"), "--threads"),
                (("-td", "0"), "--threads-draft"),
                (("-td", "two"), "--threads-draft"),
                (("-ngl", "many"), "--gpu-layers"),
                (("-ngld", "1e9"), "--gpu-layers-draft"),
                (("-s", "-2"), "--seed"),
                (("-s", "abc"), "--seed"),
                (("-s", "18446744073709551616"), "--seed"),
                (("--temp", "-1"), "temperature"),
                (("--temp", "101"), "temperature"),
                (("--temp", "nan"), "temperature"),
                (("--temp", "hot"), "--temp"),
                (("--top-k", "-1"), "--top-k"),
                (("--top-k", "4294967296"), "--top-k"),
                (("--top-p", "0"), "top-p"),
                (("--top-p", "1.1"), "top-p"),
                (("--top-p", "nan"), "top-p"),
                (("--min-p", "-0.1"), "min-p"),
                (("--min-p", "2"), "min-p"),
                (("--min-p", "nan"), "min-p"),
            ],
            ("run", "-p", "a"),
        )

    def test_policies_that_do_not_exist_or_cannot_be(self):
        self.check(
            [
                (("--policy", "static:0"), "1 to 64"),
                (("--policy", "static:-1"), "1 to 64"),
                (("--policy", "static:1e9"), "1 to 64"),
                (("--policy", "static:abc"), "abc"),
                (("--policy", "static:"), "colon"),
                (("--policy", "static"), "length"),
                (("--policy", "statik:4"), "did you mean static"),
                (("--policy", "nonsense"), "there is no policy"),
                (("--policy", ""), "there is no policy"),
                (("--policy", "static:4", "--no-draft"), "needs a draft"),
                (("--no-draft", "-md", cli.DRAFT), "exclude each other"),
            ],
            ("run", "-p", "a"),
        )

    def test_unknown_words(self):
        for arguments, word in [
            ((), None),
            (("walk",), "walk"),
            (("run", "--bogus"), "--bogus"),
            (("run", "extra"), "extra"),
            (("run", "-p"), "--prompt"),
            (("run", "--json"), "--json"),
            (("run", "-p", "a", "-f", "b"), "--file"),
            (("bench",), "bench"),
            (("bench", "moon"), "moon"),
            (("bench", "local", "--gamma", "0"), "--gamma"),
            (("bench", "local", "--gamma", "1,x"), "--gamma"),
            (("bench", "local", "--gamma", "65"), "--gamma"),
            (("bench", "local", "--repetitions", "0"), "--repetitions"),
            (("bench", "local", "--policy", "nonsense"), "nonsense"),
            (("bench", "local", "--no-draft"), "draft"),
            (("bench", "local", "-p", ""), "empty"),
            (("bench", "local", "--no-peer", "--peer", "x"), "--peer"),
            (("demo", "-n", "0"), "--predict"),
            (("demo", "--repetitions", "-1"), "--repetitions"),
            (("doctor", "now"), "now"),
        ]:
            with self.subTest(arguments=arguments):
                result = cli.run(*arguments)
                if word is None:
                    self.assert_works(result)  # the list of commands
                    self.assertIn(b"Commands:", result.stdout)
                else:
                    self.assert_refused(result, USAGE, word)

    def test_every_command_has_help_with_an_example(self):
        for command in (["run"], ["demo"], ["bench", "local"], ["doctor"]):
            result = cli.run(*command, "--help")
            self.assert_works(result)
            self.assertIn(b"Example:", result.stdout)
            self.assertEqual(result.stderr, b"")
        self.assert_works(cli.run("bench", "--help"))

    def test_version(self):
        result = cli.run("--version")
        self.assert_works(result)
        self.assertRegex(result.stdout, rb"\Agelato \d+\.\d+\.\d+\n\Z")

    def test_the_last_of_an_option_counts_as_in_llama_cpp(self):
        once = cli.generate("-n", "3", "-q", "-s", "-1")
        twice = cli.generate("-n", "9", "-n", "3", "-q")
        self.assertEqual(once.stdout, twice.stdout)


class Config(cli.CommandTest):
    def config(self, content):
        path = self.folder / "gelato.toml"
        path.write_bytes(content)
        return path

    def test_takes_any_option_and_the_command_line_wins(self):
        path = self.config(
            b'prompt = "Once upon a time"\npredict = 6\nno-draft = true\nquiet = true\nseed = 3\n'
            b'stop = ["xyzzy", "plugh"]\n'
        )
        expected = cli.generate("-n", "6", "-q", "--no-draft")
        result = cli.run("run", "--config", path)
        self.assert_works(result)
        self.assertEqual(result.stdout, expected.stdout)
        longer = cli.run("run", "--config", path, "-n", "12")
        self.assertTrue(longer.stdout.startswith(expected.stdout.rstrip(b"\n")))
        self.assertGreater(len(longer.stdout), len(expected.stdout))

    def test_what_is_not_an_option_is_refused(self):
        for content, word in [
            (b"predicted = 6\n", "predicted"),
            (b"[run]\npredict = 6\n", "run"),
            (b"predict = many\n", "--predict"),
            (bytes(range(256)) * 8, "--config"),
            (b"= = =\n[[[\n", "--config"),
        ]:
            with self.subTest(content=content[:20]):
                result = cli.run("run", "-p", "a", "--config", self.config(content))
                self.assert_refused(result, USAGE, word)

    def test_a_file_that_is_not_there(self):
        for path in (self.folder / "none.toml", self.folder):
            self.assert_refused(cli.generate("--config", path), FAILED, str(path))


class Prompts(cli.CommandTest):
    def test_an_empty_prompt_is_refused(self):
        empty = self.folder / "empty"
        empty.write_bytes(b"")
        newline = self.folder / "newline"
        newline.write_bytes(b"\n")
        for arguments in (("-p", ""), ("-f", empty), ("-f", newline), ("-f", "-"), ()):
            with self.subTest(arguments=arguments):
                self.assert_refused(cli.run("run", *arguments), USAGE, "empty")

    def test_bytes_that_are_not_utf8_are_refused_with_their_place(self):
        self.assert_refused(cli.run("run", "-p", b"abc\xff"), USAGE, "UTF-8", "offset 3")
        bad = self.folder / "bad"
        bad.write_bytes(b"ab\xc3")
        self.assert_refused(cli.run("run", "-f", bad), USAGE, "UTF-8", "offset 2")
        self.assert_refused(cli.run("run", stdin=b"\xed\xa0\x80"), USAGE, "UTF-8", "offset 0")

    def test_a_file_that_cannot_be_read(self):
        self.assert_refused(cli.run("run", "-f", self.folder / "none"), FAILED, "none")
        self.assert_refused(cli.run("run", "-f", self.folder), USAGE, "directory")

    def test_a_prompt_longer_than_the_context(self):
        result = cli.generate("-p", "word " * 300, "-c", "256")
        self.assert_refused(result, USAGE, "256", "--ctx-size")

    def test_a_prompt_beyond_the_accepted_size(self):
        huge = self.folder / "huge"
        with huge.open("wb") as file:
            file.truncate((16 << 20) + 1)
        self.assert_refused(cli.run("run", "-f", huge), FAILED, "bytes")

    def test_argument_file_and_standard_input_are_the_same(self):
        path = self.folder / "prompt"
        path.write_bytes(b"Once upon a time\n")
        results = [
            cli.run("run", "-q", "-n", "8", "-p", "Once upon a time"),
            cli.run("run", "-q", "-n", "8", "-f", path),
            cli.run("run", "-q", "-n", "8", "-f", "-", stdin=b"Once upon a time\n"),
            cli.run("run", "-q", "-n", "8", stdin=b"Once upon a time"),
        ]
        for result in results:
            self.assert_works(result)
            self.assertEqual(result.stdout, results[0].stdout)


if __name__ == "__main__":
    unittest.main()
