#!/usr/bin/env python3
"""Checks the Markdown pages: links lead somewhere, every module has its page.

check_docs.py [ROOT]: for every *.md below ROOT (this repository by default; not in build/, node_modules/
or folders whose name begins with a dot), each relative link must name a file or folder that exists, and
a #fragment in it a heading of that page; every folder in src/ needs docs/modules/<name>.md. Prints one
line per fault. Exit status 0 when there is none, 1 otherwise, 2 for wrong usage.

check_docs.py --blocks FILE: prints the shell blocks of FILE that are marked to be run, each ended by a
NUL byte. The mark is the line <!-- run --> right above a block that begins with ```sh or ```bash.
Exit status 1 when the file does not exist, has no marked block, or has a mark without a block.
"""

import os
import pathlib
import re
import sys
import unicodedata
import urllib.parse

MARK = "<!-- run -->"
FENCE = re.compile(r"^ {0,3}(```+|~~~+)\s*(\w*)")
HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*$")
CODE_SPAN = re.compile(r"(`+)(?:(?!\1).)*\1")
LINK = re.compile(r"\]\(\s*<?([^)\s>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)>?")
ELSEWHERE = re.compile(r"^([a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


def prose(text: str):
    """(line number, line) of what is outside of fenced code."""
    fence = None
    for number, line in enumerate(text.splitlines(), start=1):
        match = FENCE.match(line)
        if fence is None and match:
            fence = match[1]
        elif fence is not None:
            if match and match[1].startswith(fence) and not match[2]:
                fence = None
        else:
            yield number, line


def anchors(text: str) -> set[str]:
    """The fragments that the headings of a page make, numbered where they repeat (as GitHub does)."""
    found: set[str] = set()
    for _, line in prose(text):
        if match := HEADING.match(line):
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).lower()
            kept = [c for c in title if c in " -_" or unicodedata.category(c)[0] in "LN"]
            slug = "".join(kept).replace(" ", "-")
            unique, repeat = slug, 0
            while unique in found:
                repeat += 1
                unique = f"{slug}-{repeat}"
            found.add(unique)
    return found


def fault(root: pathlib.Path, page: pathlib.Path, link: str) -> str | None:
    """What is wrong with `link` on `page`, or None."""
    if ELSEWHERE.match(link):
        return None
    if link.startswith("/"):
        return "is absolute"
    target, _, fragment = urllib.parse.unquote(link).partition("#")
    path = pathlib.Path(os.path.normpath(page.parent / target)) if target else page
    if not path.is_relative_to(root):
        return "leaves the repository"
    if not path.exists():
        return "does not exist"
    if fragment and path.suffix == ".md" and fragment not in anchors(path.read_text(encoding="utf-8")):
        return f"names no heading of {path.relative_to(root)}"
    return None


def pages(root: pathlib.Path):
    for folder, below, files in os.walk(root):
        below[:] = [b for b in sorted(below) if b not in ("build", "node_modules") and b[0] != "."]
        yield from (pathlib.Path(folder) / name for name in sorted(files) if name.endswith(".md"))


def faults(root: pathlib.Path) -> list[str]:
    found = []
    for page in pages(root):
        for number, line in prose(page.read_text(encoding="utf-8")):
            plain = CODE_SPAN.sub("", line)
            links = [m[1] for m in LINK.finditer(plain)]
            links += [m[1] for m in REFERENCE.finditer(plain)]
            for link in links:
                if reason := fault(root, page, link):
                    found.append(f"{page.relative_to(root)}:{number}: the link {link} {reason}")
    for module in sorted((root / "src").iterdir()) if (root / "src").is_dir() else []:
        wanted = root / "docs" / "modules" / f"{module.name}.md"
        if module.is_dir() and not wanted.is_file():
            found.append(f"src/{module.name}: has no page docs/modules/{module.name}.md")
    return found


def marked_blocks(text: str) -> list[str]:
    """The marked shell blocks of a page. Raises ValueError where a mark has no block."""
    blocks = []
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        if line.strip() != MARK:
            continue
        _, opening = next(lines, (0, ""))
        match = FENCE.match(opening)
        if not match or match[2] not in ("sh", "bash"):
            raise ValueError(f"line {number}: {MARK} is not followed by a block of sh or bash")
        block = []
        for _, code in lines:
            if code.strip() == match[1]:
                break
            block.append(code)
        blocks.append("\n".join(block) + "\n")
    if not blocks:
        raise ValueError(f"no shell block is marked with {MARK}")
    return blocks


def print_blocks(path: pathlib.Path) -> int:
    try:
        blocks = marked_blocks(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    sys.stdout.write("".join(block + "\0" for block in blocks))
    return 0


def main(arguments: list[str]) -> int:
    if len(arguments) == 3 and arguments[1] == "--blocks":
        return print_blocks(pathlib.Path(arguments[2]))
    if len(arguments) > 2 or arguments[1:2] == ["--blocks"]:
        print(f"usage: {arguments[0]} [ROOT] | --blocks FILE", file=sys.stderr)
        return 2
    root = pathlib.Path(arguments[1] if len(arguments) == 2 else pathlib.Path(__file__).parents[1])
    found = faults(root.resolve())
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
