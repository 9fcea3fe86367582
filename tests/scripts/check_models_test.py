"""scripts/check_models.py finds each kind of difference between a manifest and its files."""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "check_models.py"
CONTENT = b"GGUF of a test"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def row(name="a.gguf", size=len(CONTENT), digest=DIGEST):
    return f"| `{name}` | target | 1 M | {size} | `{digest}` |\n"


class CheckModels(unittest.TestCase):
    def check(self, manifest, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                (pathlib.Path(folder) / name).write_bytes(content)
            if manifest is not None:
                (pathlib.Path(folder) / "MANIFEST.md").write_text(manifest, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, SCRIPT, folder], capture_output=True, text=True, check=False
            )
            return done.returncode, done.stderr

    def test_accepts_what_matches(self):
        self.assertEqual(self.check(row(), {"a.gguf": CONTENT}), (0, ""))

    def test_reports_another_size_and_another_digest(self):
        status, message = self.check(row(size=3), {"a.gguf": CONTENT})
        self.assertEqual(status, 1)
        self.assertIn("a.gguf has 14 bytes, the manifest says 3", message)
        status, message = self.check(row(), {"a.gguf": b"GGUF of a best"})
        self.assertEqual(status, 1)
        self.assertIn("a.gguf has SHA-256", message)

    def test_reports_missing_and_unlisted_files_and_manifests(self):
        self.assertIn("a.gguf is in the manifest but not", self.check(row(), {})[1])
        both = {"a.gguf": CONTENT, "b.gguf": CONTENT}
        self.assertIn("b.gguf is in", self.check(row(), both)[1])
        self.assertIn("does not exist", self.check(None, both)[1])
        self.assertIn("has no row", self.check("# Nothing\n", {})[1])


if __name__ == "__main__":
    unittest.main()
