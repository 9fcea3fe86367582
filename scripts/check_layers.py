#!/usr/bin/env python3
"""Checks that modules include only what lies below them (docs/architecture.md).

check_layers.py [ROOT]: reads the #include lines of include/, src/, apps/ and tests/ below ROOT (this
repository by default) and prints one line per include that breaks a rule:

- a module includes its own headers and those of modules in lower layers, never a module beside or above it;
- only src/engine includes llama.cpp's headers (and its tests, and tests/support/tiny_gguf, which
  writes its files);
- no include climbs out of its folder with "..".

Exit status 0 when nothing is wrong, 1 otherwise, 2 for wrong usage.
"""

import pathlib
import re
import sys

LAYERS = (
    ("base",),
    ("spec", "energy", "link", "plan"),
    ("control", "engine", "proto"),
    ("device", "edge", "split"),
    ("sim", "api", "report"),
)
LAYER = {module: layer for layer, modules in enumerate(LAYERS) for module in modules}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
LLAMA = re.compile(r"^(llama[\w-]*|ggml[\w-]*|gguf)\.h$")
GENERATED = {"v1": "proto"}  # gelato/v1/*.pb.h is what proto/gelato/v1/*.proto becomes


def includes(path: pathlib.Path):
    """(line number, included name) of every #include in the file."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if match := INCLUDE.match(line):
            yield number, match[1]


def module_of(relative: pathlib.PurePath) -> str | None:
    """The module that a file belongs to; None outside of the modules (apps, tests)."""
    if relative.parts[:2] == ("include", "gelato"):
        return relative.parts[2]
    return relative.parts[1] if relative.parts[0] == "src" else None


def included_module(name: str) -> str | None:
    """The module whose header `name` is; None when it is no header of ours."""
    parts = name.split("/")
    if len(parts) < 3 or parts[0] != "gelato":
        return None
    return GENERATED.get(parts[1], parts[1])


def may_include_llama(relative: pathlib.PurePath) -> bool:
    where = relative.as_posix()
    return where.startswith(("src/engine/", "tests/engine/", "tests/support/tiny_gguf"))


def wrong(relative: pathlib.PurePath, name: str) -> str | None:
    """Which rule the inclusion of `name` in the file `relative` breaks, or None."""
    if ".." in name.split("/"):
        return "climbs out of its folder"
    if LLAMA.match(name) and not may_include_llama(relative):
        return "is llama.cpp's, which only src/engine may include"
    other = included_module(name)
    if other is None or relative.parts[0] == "tests":
        return None
    if other not in LAYER:
        return f"belongs to the module {other}, which has no layer in scripts/check_layers.py"
    module = module_of(relative)
    if module is not None and other != module and LAYER[other] >= LAYER[module]:
        return f"is of layer {LAYER[other]}, which {module} (layer {LAYER[module]}) may not include"
    return None


def violations(root: pathlib.Path) -> list[str]:
    found = []
    for top in ("include/gelato", "src", "apps", "tests"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".h", ".cc") or not path.is_file():
                continue
            relative = path.relative_to(root)
            module = module_of(relative)
            if module is not None and module not in LAYER:
                found.append(f"{relative}: the module {module} has no layer in scripts/check_layers.py")
                continue
            for line, name in includes(path):
                if reason := wrong(relative, name):
                    found.append(f"{relative}:{line}: {name} {reason}")
    return found


def main(arguments: list[str]) -> int:
    if len(arguments) > 2:
        print(f"usage: {arguments[0]} [ROOT]", file=sys.stderr)
        return 2
    root = pathlib.Path(arguments[1] if len(arguments) == 2 else pathlib.Path(__file__).parents[1])
    if not (root / "src").is_dir():
        print(f"check_layers: {root} has no folder src", file=sys.stderr)
        return 2
    found = violations(root)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
