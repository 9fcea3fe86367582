"""Interrupts, readers that go away, disks that are full, terminals."""

import array
import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
import unittest

import cli
from cli import FAILED, USAGE


class Started:
    """The program while it runs."""

    def __init__(self, *arguments, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        self.process = subprocess.Popen(
            [cli.GELATO, *map(os.fspath, arguments)],
            stdin=subprocess.DEVNULL,
            env=cli.environment(),
            bufsize=0,
            **options,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def finish(self):
        """What was left on both streams, and the exit code."""
        out, err = self.process.communicate(timeout=cli.DEADLINE_S)
        return out, err.decode(), self.process.returncode


def unread(descriptor) -> int:
    """Bytes in a pipe that nobody has read yet."""
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


class Interrupts(cli.CommandTest):
    def endless(self, *more):
        """A text so long that the pipe is full long before it ends: it is still being written."""
        model = self.tiny(ctx_size=200000, eos=299)
        return Started(
            "run", "-m", model, "-md", model, "-p", "ab", "-n", "-1", "-c", "200000", *more
        )  # fmt: skip

    def test_ctrl_c_ends_a_text_with_its_statistics(self):
        result = self.folder / "r.json"
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number), self.endless("--json", result) as running:
                first = running.process.stdout.read(10)
                running.process.send_signal(number)
                rest, summary, code = running.finish()
                self.assertEqual(code, 0, summary)
                self.assertRegex(summary, r"\A\d+ tokens in .* saved\n\Z")
                data = json.loads(result.read_text())
                self.assertEqual(data["stop"], "interrupted")
                self.assertEqual(data["output"], (first + rest).decode().removesuffix("\n"))
                self.assertLess(data["tokens"], 199000)

    def test_ctrl_c_while_the_prompt_is_awaited(self):
        end, ours = os.pipe()
        process = subprocess.Popen(
            [cli.GELATO, "run", "-f", "-"],
            stdin=end, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli.environment(),
        )  # fmt: skip
        os.close(end)
        # Once it has read this it waits for more: no reader is left in the pipe.
        os.write(ours, b"Once")
        while unread(ours):
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=cli.DEADLINE_S)
        os.close(ours)
        self.assertEqual((process.returncode, out), (FAILED, b""))
        self.assertRegex(err.decode(), r"\Agelato: [^\n]*interrupt[^\n]*\n\Z")

    def test_ctrl_c_ends_a_comparison(self):
        for command in (("demo", "--repetitions", "1000"), ("bench", "local", "--no-peer",
                        "--repetitions", "1000")):  # fmt: skip
            with self.subTest(command=command), Started(*command) as running:
                line = running.process.stderr.readline()
                self.assertIn(b"measuring", line)
                running.process.send_signal(signal.SIGINT)
                out, err, code = running.finish()
                # What was measured so far, or that nothing was.
                self.assertIn(code, (0, FAILED), err)
                if code == FAILED:
                    self.assertIn("gelato: interrupted", err)
                self.assertEqual(b"x target alone" in out, code == 0)


class Readers(cli.CommandTest):
    def test_a_reader_that_goes_away_ends_the_text(self):
        model = self.tiny(ctx_size=200000, eos=299)
        result = self.folder / "r.json"
        arguments = ("run", "-m", model, "-p", "ab", "-n", "-1", "-c", "200000", "--json", result)
        with Started(*arguments) as running:
            running.process.stdout.read(10)
            running.process.stdout.close()
            code = running.process.wait(timeout=cli.DEADLINE_S)
            err = running.process.stderr.read().decode()
        self.assertEqual(code, FAILED, err)
        self.assertIn("gelato: cannot write to standard output: Broken pipe\n", err)
        self.assertEqual(json.loads(result.read_text())["stop"], "closed_output")

    def test_a_closed_standard_output(self):
        result = self.folder / "r.json"
        for arguments in (
            ("run", "-p", "a", "-n", "4"),
            ("run", "-p", "a", "-n", "4", "--json", result),
            ("run", "-p", "a", "-n", "4", "--json", "-"),
            ("demo", "-n", "2", "--repetitions", "1"),
            ("doctor", "--no-measure"),
            ("--help",),
            ("--version",),
        ):
            with self.subTest(arguments=arguments):
                done = cli.run(*arguments, stdout=None, preexec_fn=lambda: os.close(1))
                self.assertEqual(done.returncode, FAILED, done.stderr)
                self.assertRegex(done.stderr.decode(), r"(?m)^gelato: .*standard output.*$")
        self.assertEqual(json.loads(result.read_text())["stop"], "closed_output")

    def test_all_streams_closed(self):
        def close():
            for descriptor in (0, 1, 2):
                os.close(descriptor)

        arguments = [cli.GELATO, "run", "-p", "a", "-n", "4"]
        done = subprocess.run(arguments, preexec_fn=close, timeout=cli.DEADLINE_S, check=False)
        self.assertEqual(done.returncode, FAILED)

    def test_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            done = cli.generate(stdout=full)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"gelato: cannot write to standard output: No space left", done.stderr)
        for command in (
            ("run", "-p", "a", "-n", "4"),
            ("demo", "-n", "2", "--repetitions", "1"),
            ("bench", "local", "-n", "2", "--repetitions", "1", "--no-peer", "--gamma", "2"),
            ("doctor", "--no-measure"),
        ):
            with self.subTest(command=command):
                done = cli.run(*command, "--json", "/dev/full")
                self.assertEqual(done.returncode, FAILED)
                self.assertRegex(done.stderr, rb"gelato: .*/dev/full.*No space left.*\n\Z")

    def test_places_where_no_result_can_be_are_known_before_the_work(self):
        for path, code, reason in [
            (self.folder / "none" / "r.json", FAILED, "create its folder"),
            (self.folder, USAGE, "name a file"),
        ]:
            for command in (("run", "-p", "a"), ("demo",), ("bench", "local"), ("doctor",)):
                with self.subTest(path=path, command=command):
                    self.assert_refused(cli.run(*command, "--json", path), code, reason)

    def test_a_result_replaces_the_old_one_and_nothing_else_is_left(self):
        path = self.folder / "r.json"
        path.write_text("old")
        self.assert_works(cli.generate("--json", path))
        self.assertEqual(json.loads(path.read_text())["tokens"], 8)
        self.assertEqual(os.listdir(self.folder), ["r.json"])


class Terminals(cli.CommandTest):
    """Standard output is a terminal: colours, unless they are unwanted."""

    def on_terminal(self, *arguments, **variables):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [cli.GELATO, *arguments],
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE,
            env=cli.environment(**variables),
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # how Linux says that nobody holds the other end any more
            pass
        os.close(ours)
        err = process.communicate(timeout=cli.DEADLINE_S)[1]
        self.assertEqual(process.returncode, 0, err)
        return shown

    def test_colours_follow_no_color_and_the_kind_of_terminal(self):
        for arguments in (
            ("run", "-p", "Once upon a time", "-n", "30", "--show-origin"),
            ("demo", "-n", "2", "--repetitions", "1"),
            ("doctor", "--no-measure"),
        ):
            with self.subTest(arguments=arguments):
                for variables, colours in [
                    ({"TERM": "xterm"}, True),
                    ({"TERM": "xterm", "NO_COLOR": ""}, True),
                    ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                    ({"TERM": "dumb"}, False),
                    ({}, False),
                ]:
                    shown = self.on_terminal(*arguments, **variables)
                    self.assertEqual(b"\x1b[3" in shown, colours, (variables, shown))

    def test_without_a_prompt_a_terminal_is_not_waited_for(self):
        ours, theirs = pty.openpty()
        done = subprocess.run(
            [cli.GELATO, "run"],
            stdin=theirs, capture_output=True, env=cli.environment(), timeout=cli.DEADLINE_S,
            check=False,
        )  # fmt: skip
        os.close(ours)
        os.close(theirs)
        self.assert_refused(done, USAGE, "no prompt")


if __name__ == "__main__":
    unittest.main()
