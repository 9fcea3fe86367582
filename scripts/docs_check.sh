#!/usr/bin/env bash
# Checks the links of every page, then runs each shell block of README.md that stands under the line
#   <!-- run -->
# in a shell of its own, from the repository's root, without input. A block must end with status 0
# within DOCS_SECONDS (default 300) and leave nothing behind that git does not ignore.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/check_docs.py

blocks=$(mktemp -d)
trap 'rm -rf "$blocks"' EXIT
scripts/check_docs.py --blocks README.md >"$blocks/all"
mapfile -d '' -t block <"$blocks/all"

tree() { # what git sees of the working tree; nothing where this is no git checkout
  git status --porcelain --untracked-files=all 2>/dev/null || true
}

before=$(tree)
for i in "${!block[@]}"; do
  echo "docs: README.md, block $((i + 1)) of ${#block[@]}"
  printf '%s' "${block[i]}" | sed 's/^/  | /'
  printf '%s' "${block[i]}" >"$blocks/one.sh"
  status=0
  timeout "${DOCS_SECONDS:-300}" bash -euo pipefail "$blocks/one.sh" </dev/null || status=$?
  if [ "$status" != 0 ]; then
    echo "docs: block $((i + 1)) of README.md ended with status $status" >&2
    exit 1
  fi
done
if [ "$(tree)" != "$before" ]; then
  echo "docs: the commands of README.md left files behind:" >&2
  diff <(echo "$before") <(tree) >&2 || true
  exit 1
fi
echo "docs: ${#block[@]} blocks of README.md ran"
