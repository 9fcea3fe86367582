"""scripts/check_layers.py fails on each kind of forbidden include, and on nothing else."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "check_layers.py"


class CheckLayers(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "src").mkdir()
            for name, content in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(content, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, SCRIPT, root], capture_output=True, text=True, check=False
            )
            return done.returncode, done.stderr

    def refused(self, name, include, why):
        status, message = self.check({name: f"#pragma once\n#include {include}\n"})
        self.assertEqual(status, 1, f"{name} includes {include}")
        self.assertIn(f"{name}:2: {include[1:-1]} {why}", message)

    def test_accepts_what_points_down(self):
        status, message = self.check(
            {
                "include/gelato/spec/a.h": '#include "gelato/base/result.h"\n#include <vector>\n',
                "src/spec/a.cc": '#include "gelato/spec/a.h"\n#include "bit_stream.h"\n',
                "src/device/a.cc": '#include "gelato/engine/a.h"\n#include "gelato/v1/a.pb.h"\n',
                "src/engine/a.cc": "#include <llama.h>\n#include <ggml-backend.h>\n#include <gguf.h>\n",
                "apps/gelato/main.cc": '#include "gelato/report/a.h"\n#include "gelato/sim/a.h"\n',
                "tests/base/a_test.cc": '#include "gelato/spec/a.h"\n',
                "tests/engine/a_test.cc": "#include <llama.h>\n",
                "tests/support/tiny_gguf.cc": "#include <gguf.h>\n",
                "src/base/comment.cc": '// #include "gelato/spec/a.h" would be wrong\n',
            }
        )
        self.assertEqual((status, message), (0, ""))

    def test_refuses_a_module_above(self):
        self.refused("include/gelato/base/a.h", '"gelato/spec/a.h"', "is of layer 1")
        self.refused("src/control/a.cc", '"gelato/device/a.h"', "is of layer 3")
        self.refused("src/spec/a.cc", "<gelato/v1/a.pb.h>", "is of layer 2")

    def test_refuses_a_module_beside(self):
        self.refused("src/spec/a.cc", '"gelato/energy/a.h"', "is of layer 1")
        self.refused("src/sim/a.cc", '"gelato/report/a.h"', "is of layer 4")

    def test_refuses_llama_outside_the_engine(self):
        why = "is llama.cpp's"
        self.refused("src/device/a.cc", "<llama.h>", why)
        self.refused("include/gelato/engine/a.h", '"ggml.h"', why)
        self.refused("apps/gelato/main.cc", "<ggml-backend.h>", why)
        self.refused("tests/device/a_test.cc", "<gguf.h>", why)

    def test_refuses_includes_that_climb(self):
        self.refused("src/base/a.cc", '"../spec/a.h"', "climbs")

    def test_refuses_modules_that_nobody_placed(self):
        self.refused("src/device/a.cc", '"gelato/magic/a.h"', "belongs to the module magic")
        status, message = self.check({"src/magic/a.cc": "\n"})
        self.assertEqual(status, 1)
        self.assertIn("the module magic has no layer", message)

    def test_refuses_a_folder_that_is_no_repository(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, check=False)
            self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
