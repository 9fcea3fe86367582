"""Files that are no models, damaged models, and models that do not go together: gelato says so."""

import os
import unittest

import cli
import gguf
from cli import FAILED, USAGE


class NoModels(cli.CommandTest):
    """What somebody may name instead of a model."""

    def test_each_is_refused_with_its_reason(self):
        text = self.folder / "notes.txt"
        text.write_text("Once upon a time\n")
        empty = self.folder / "empty.gguf"
        empty.write_bytes(b"")
        for path, code, reason in [
            (self.folder / "missing.gguf", FAILED, "does not exist"),
            (text / "below.gguf", FAILED, "does not exist"),
            (self.folder, USAGE, "is a directory"),
            (text, USAGE, "not a GGUF model file"),
            (empty, USAGE, "not a GGUF model file"),
            ("/dev/null", USAGE, "not a regular file"),
        ]:
            for option in ("-m", "-md"):
                with self.subTest(path=str(path), option=option):
                    self.assert_refused(cli.generate(option, path), code, str(path), reason)

    def test_a_fifo_is_refused_without_waiting_for_a_writer(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        self.assert_refused(cli.generate("-m", fifo), USAGE, "not a regular file")

    def test_a_file_that_may_not_be_read(self):
        model = self.tiny()
        model.chmod(0)
        self.folder.chmod(0o755)
        nobody = {"user": 65534} if os.geteuid() == 0 else {}  # root may read every file
        try:
            result = cli.generate("-m", model, **nobody)
        except PermissionError:
            self.skipTest("the program lies where only root may run it")
        self.assert_refused(result, FAILED, "no permission", str(model))

    def test_control_characters_in_a_name_do_not_reach_the_terminal(self):
        result = cli.generate("-m", self.folder / "a\x1b[31m\nb.gguf")
        self.assert_refused(result, FAILED, "does not exist")
        self.assertNotIn(b"\x1b", result.stderr)


class Truncated(cli.CommandTest):
    def test_at_any_length(self):
        model = self.tiny()
        content = model.read_bytes()
        marks = gguf.fields(content)
        lengths = {0, 1, 3, 4, 7, 8, 23, 24, 25, 100, len(content) // 2, len(content) - 1}
        for name in (
            "llama.block_count",
            "tokenizer.ggml.tokens count",
            "tokenizer.ggml.scores[100]",
            "blk.0.attn_q.weight dimensions",
            "output.weight offset",
        ):
            lengths.add(marks[name].at + 1)
        for length in sorted(lengths):
            with self.subTest(length=length):
                cut = self.folder / "cut.gguf"
                cut.write_bytes(content[:length])
                result = cli.generate("-m", cut)
                self.assert_refused(result, USAGE if length < 4 else FAILED, str(cut))


class Damaged(cli.CommandTest):
    """One number changed at a time: gelato works or refuses, and never crashes."""

    WHOLE = (0, 7, 1 << 31, (1 << 32) - 1, (1 << 63) - 1)
    REAL = (-1.0, float("nan"))

    def check_every_field(self, wanted, **options):
        model = self.tiny(**options)
        content = model.read_bytes()
        changed = self.folder / "changed.gguf"
        seen = 0
        for field in gguf.fields(content).values():
            if not wanted(field.name):
                continue
            seen += 1
            tried = {content}
            for value in self.REAL if field.format in "fd" else self.WHOLE:
                with self.subTest(field=field.name, value=value):
                    damaged = field.changed(content, value)
                    if damaged in tried:  # the value does not fit and came out as another one
                        continue
                    tried.add(damaged)
                    changed.write_bytes(damaged)
                    result = cli.generate("-m", changed, "-p", "ab", "-n", "2")
                    if result.returncode != 0:
                        self.assertIn(result.returncode, (FAILED, USAGE), result.stderr)
                        self.assert_refused(result, result.returncode)
        self.assertGreater(seen, 0)

    def test_header(self):
        names = ("magic", "version", "tensor count", "key count", "key 0 length")
        self.check_every_field(lambda name: name in names)

    def test_dimensions_of_an_attention_model(self):
        self.check_every_field(lambda name: name.startswith("llama."))

    def test_dimensions_of_a_recurrent_model(self):
        self.check_every_field(lambda name: name.startswith("mamba."), kind="recurrent")

    def test_dimensions_of_a_hybrid_model(self):
        self.check_every_field(lambda name: name.startswith("jamba."), kind="hybrid")

    def test_tokenizer(self):
        self.check_every_field(
            lambda name: name.startswith("tokenizer.") and ("[" not in name or "[2]" in name)
        )

    def test_tensor_table(self):
        self.check_every_field(
            lambda name: name.startswith(("token_embd.", "blk.0.attn_q."))
        )

    def test_claims_are_checked_before_memory_is_taken(self):
        content = self.tiny().read_bytes()
        changed = self.folder / "changed.gguf"
        for name, value, reason in [
            ("tensor count", 1 << 40, "tensors"),
            ("key count", 1 << 60, "metadata keys"),
            ("llama.block_count", (1 << 32) - 1, "block_count"),
            ("llama.embedding_length", 1 << 31, "embedding_length"),
            ("llama.attention.head_count", 3, "heads"),
        ]:
            with self.subTest(field=name):
                changed.write_bytes(gguf.fields(content)[name].changed(content, value))
                self.assert_refused(cli.generate("-m", changed), FAILED, str(changed), reason)


class Pairs(cli.CommandTest):
    def test_vocabularies_that_differ_are_refused_with_the_first_difference(self):
        target = self.tiny("target.gguf")
        for options, reason in [
            ({"vocab": 500}, "320 tokens and the draft 500"),
            ({"bos": 5}, "beginning of a text is token 1"),
            ({"eos": 6}, "end of a text is token 2"),
            ({"replace": ("300", "other")}, "token 300"),
        ]:
            with self.subTest(**options):
                draft = self.tiny("draft.gguf", **options)
                result = cli.generate("-m", target, "-md", draft, "-p", "a")
                self.assert_refused(result, FAILED, reason)

    def test_padding_of_the_vocabulary_is_a_note(self):
        result = cli.generate(
            "-m", self.tiny("t.gguf", padding=64), "-md", self.tiny("d.gguf"), "-p", "a"
        )
        self.assert_works(result)
        self.assertIn(b"gelato: note: ", result.stderr)
        quiet = cli.generate(
            "-m", self.folder / "t.gguf", "-md", self.folder / "d.gguf", "-p", "a", "-q"
        )
        self.assertEqual((quiet.stderr, quiet.stdout), (b"", result.stdout))

    def test_recurrent_models_write_alone_but_do_not_speculate(self):
        attention = self.tiny("attention.gguf")
        for kind in ("recurrent", "hybrid"):
            model = self.tiny(f"{kind}.gguf", kind=kind)
            with self.subTest(kind=kind):
                self.assert_works(cli.generate("-m", model, "-p", "ab"))
                self.assert_refused(
                    cli.generate("-m", model, "-md", attention, "-p", "ab"), FAILED, "recurrent"
                )
                self.assert_refused(
                    cli.generate("-m", attention, "-md", model, "-p", "ab"), FAILED, "recurrent"
                )


if __name__ == "__main__":
    unittest.main()
