#!/usr/bin/env python3
"""Compares the table of a folder's MANIFEST.md with the folder's *.gguf and *.trace files.

check_models.py FOLDER: every row's size and SHA-256 must be the file's, and every file must have a
row. Prints one line per difference; exit status 0 when there is none, 1 otherwise, 2 for wrong usage.
"""

import hashlib
import pathlib
import re
import sys

ROW = re.compile(
    r"^\|\s*`(?P<name>[^`/]+\.(?:gguf|trace))`\s*\|.*\|\s*(?P<bytes>\d+)\s*\|\s*`(?P<sha256>[0-9a-f]{64})`\s*\|$",
    re.MULTILINE,
)


def differences(folder: pathlib.Path) -> list[str]:
    """What is wrong between the manifest of `folder` and its files, one sentence each."""
    manifest = folder / "MANIFEST.md"
    if not manifest.is_file():
        return [f"{manifest} does not exist"]
    rows = {m["name"]: m for m in ROW.finditer(manifest.read_text(encoding="utf-8"))}
    files = {path.name: path for path in folder.iterdir() if path.suffix in (".gguf", ".trace")}
    found = []
    if not rows:
        found.append(f"{manifest} has no row of the form | `name.gguf` | ... | bytes | `sha256` |")
    found += [f"{name} is in the manifest but not in {folder}" for name in rows.keys() - files.keys()]
    found += [f"{name} is in {folder} but not in the manifest" for name in files.keys() - rows.keys()]
    for name in rows.keys() & files.keys():
        content = files[name].read_bytes()
        if len(content) != int(rows[name]["bytes"]):
            found.append(f"{name} has {len(content)} bytes, the manifest says {rows[name]['bytes']}")
        digest = hashlib.sha256(content).hexdigest()
        if digest != rows[name]["sha256"]:
            found.append(f"{name} has SHA-256 {digest}, the manifest says {rows[name]['sha256']}")
    return sorted(found)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(f"usage: {arguments[0]} FOLDER", file=sys.stderr)
        return 2
    found = differences(pathlib.Path(arguments[1]))
    for line in found:
        print(f"check_models: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
