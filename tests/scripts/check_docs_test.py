"""scripts/check_docs.py finds dead links and missing pages, and takes out the blocks to be run."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "check_docs.py"


class Repository(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def run_script(self, *arguments):
        done = subprocess.run(
            [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr


class Links(Repository):
    def faults(self, text):
        self.write("README.md", text)
        status, _, message = self.run_script(self.root)
        self.assertEqual(status, 1 if message else 0)
        return message

    def test_accepts_what_exists(self):
        self.write("docs/a.md", "# A page\n\n## Two `words`: here\n\n## Two words here\n[up](../README.md)\n")
        self.write("src/base/x.cc", "")
        self.write("docs/modules/base.md", "# base\n")
        self.assertEqual(
            self.faults(
                "# Top\n[a](docs/a.md) [b](docs/a.md#two-words-here) [c](#top) ![d](docs)\n"
                "[e](https://example.org/no) [f]: mailto:x@example.org\n[g](docs/a.md#two-words-here-1)\n"
                "`[code](missing.md)`\n```\n[code](missing.md)\n```\n[h]: docs/a.md\n"
            ),
            "",
        )

    def test_reports_dead_links(self):
        self.assertIn("README.md:3: the link docs/b.md does not exist", self.faults("\n\n[a](docs/b.md)\n"))
        self.assertIn("does not exist", self.faults("[a]: docs/b.md\n"))
        self.assertIn("does not exist", self.faults("`code` and [a](b.md) and `code`\n"))

    def test_reports_dead_fragments(self):
        self.assertIn("names no heading of README.md", self.faults("# Top\n[a](#bottom)\n"))

    def test_reports_links_that_only_work_on_one_machine(self):
        self.assertIn("is absolute", self.faults("[a](/etc/hosts)\n"))
        self.assertIn("leaves the repository", self.faults("[a](../x.md)\n"))

    def test_reports_a_module_without_a_page(self):
        self.write("src/base/x.cc", "")
        self.assertIn("src/base: has no page docs/modules/base.md", self.faults("# Top\n"))


class Blocks(Repository):
    def blocks(self, text):
        self.write("README.md", text)
        return self.run_script("--blocks", self.root / "README.md")

    def test_takes_out_the_marked_ones(self):
        status, blocks, _ = self.blocks(
            "<!-- run -->\n```sh\nmake demo\necho 1\n```\n"
            "```sh\nsudo rm\n```\n<!-- run -->\n```bash\nmake test\n```\n"
        )
        self.assertEqual(status, 0)
        self.assertEqual(blocks, "make demo\necho 1\n\0make test\n\0")

    def test_refuses_a_page_without_any(self):
        self.assertEqual(self.blocks("```sh\nmake demo\n```\n")[0], 1)
        self.assertIn("no shell block", self.blocks("# Top\n")[2])

    def test_refuses_a_mark_without_a_block(self):
        self.assertIn("line 1", self.blocks("<!-- run -->\n\n```sh\nx\n```\n")[2])
        self.assertIn("line 1", self.blocks("<!-- run -->\n```json\n{}\n```\n")[2])

    def test_refuses_a_page_that_does_not_exist(self):
        status, _, message = self.run_script("--blocks", self.root / "README.md")
        self.assertEqual(status, 1)
        self.assertIn("No such file", message)


if __name__ == "__main__":
    unittest.main()
