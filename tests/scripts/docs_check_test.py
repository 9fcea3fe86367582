"""scripts/docs_check.sh runs what README.md marks, and fails when that fails."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"


class DocsCheck(unittest.TestCase):
    def check(self, readme):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "scripts").mkdir()
            for name in ("docs_check.sh", "check_docs.py"):
                shutil.copy2(SCRIPTS / name, root / "scripts" / name)
            if readme is not None:
                (root / "README.md").write_text(readme, encoding="utf-8")
            for command in (["init", "--quiet"], ["add", "."]):
                subprocess.run(["git", "-C", folder, *command], check=True)
            done = subprocess.run(
                ["bash", root / "scripts" / "docs_check.sh"],
                capture_output=True,
                text=True,
                check=False,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DOCS_SECONDS": "20"},
            )
            return done.returncode, done.stdout + done.stderr

    def test_runs_every_marked_block(self):
        status, output = self.check(
            "<!-- run -->\n```sh\necho one$((1 + 1))\n```\n```sh\nfalse\n```\n"
            "<!-- run -->\n```sh\ntest -f README.md\n```\n"
        )
        self.assertEqual(status, 0, output)
        self.assertIn("\none2\n", output)
        self.assertIn("2 blocks of README.md ran", output)

    def test_fails_with_a_block(self):
        status, output = self.check("<!-- run -->\n```sh\nfalse\necho on\n```\n")
        self.assertEqual(status, 1)
        self.assertIn("block 1 of README.md ended with status 1", output)

    def test_fails_when_a_block_leaves_files(self):
        status, output = self.check("<!-- run -->\n```sh\ntouch left-behind\n```\n")
        self.assertEqual(status, 1)
        self.assertIn("left-behind", output)

    def test_fails_without_readme_and_on_dead_links(self):
        self.assertEqual(self.check(None)[0], 1)
        self.assertEqual(self.check("[a](b.md)\n<!-- run -->\n```sh\ntrue\n```\n")[0], 1)


if __name__ == "__main__":
    unittest.main()
