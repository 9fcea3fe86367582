#!/usr/bin/env bash
# clang-tidy over the C++ sources, the most recently committed first.
#
#   scripts/tidy.sh                       every source
#   scripts/tidy.sh --since COMMIT        only what changed since COMMIT: sources, and those that include a
#                                         changed header
#   --budget SECONDS                      start no further file after that time; says how many were left
#
# Exit status 1 when clang-tidy complains about a file, 2 for wrong usage.
set -euo pipefail
cd "$(dirname "$0")/.."

since='' budget=''
while [ $# -gt 0 ]; do
  case "$1" in
    --since) since=${2:?} ;;
    --budget) budget=${2:?} ;;
    *)
      echo "usage: scripts/tidy.sh [--since COMMIT] [--budget SECONDS]" >&2
      exit 2
      ;;
  esac
  shift 2
done

# Files in the order of their last commit, newest first; what was never committed comes before that.
by_age() {
  { git status --porcelain --untracked-files=all | cut -c4- && git log --format= --name-only; } \
    2>/dev/null | awk '!seen[$0]++'
}

# The sources that a change since commit $1 touches.
changed() {
  local file
  { git diff --name-only --diff-filter=d "$1" && git ls-files --others --exclude-standard; } |
    while read -r file; do
      case "$file" in
        *.cc) echo "$file" ;;
        include/*.h) grep -rlF "\"${file#include/}\"" src apps tests --include='*.cc' || true ;;
        *.h) grep -rlE "\"(${file//./\\.}|$(basename "$file"))\"" src apps tests --include='*.cc' || true ;;
      esac
    done | sort -u
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find src apps tests -name '*.cc' | sort >"$work/all"
if [ -n "$since" ]; then
  changed "$since" | grep -Fxf "$work/all" >"$work/wanted" || true
else
  cp "$work/all" "$work/wanted"
fi
{ by_age | grep -Fxf "$work/wanted" || true; cat "$work/wanted"; } | awk '!seen[$0]++' >"$work/order"

# The compile commands, and the headers that the build generates, which belong to modules; nothing is
# compiled. (Some tests come after the program that they start.)
cmake --preset tidy >/dev/null
ninja -C build/tidy -t targets all |
  sed -n 's/^\(cmake_object_order_depends_target_[^:]*\):.*/\1/p' |
  grep -vE '_(test|fuzz|bench)$' | xargs ninja -C build/tidy >/dev/null

export TIDY_WORK=$work TIDY_DEADLINE=$(($(date +%s) + ${budget:-1000000}))
one() { # FILE: one line in the list that it belongs to, and clang-tidy's words if it complains
  local out=$TIDY_WORK/$$.out
  if [ "$(date +%s)" -ge "$TIDY_DEADLINE" ]; then
    echo "$1" >>"$TIDY_WORK/left"
  elif clang-tidy --quiet -p build/tidy "$1" >"$out" 2>"$out.err"; then
    echo "$1" >>"$TIDY_WORK/clean"
  else
    echo "$1" >>"$TIDY_WORK/faulty"
    grep -v 'warnings\? generated\|treated as error' "$out.err" | cat "$out" -
  fi
}
export -f one
# shellcheck disable=SC2016 # the inner shell expands it
xargs -r -P "${JOBS:-$(nproc)}" -I{} bash -c 'one "$1"' _ {} <"$work/order"

count() { if [ -f "$work/$1" ]; then wc -l <"$work/$1"; else echo 0; fi; }
echo "tidy: $(count clean) clean, $(count faulty) with faults, $(count left) not reached" \
  "of $(count order)"
[ ! -f "$work/faulty" ]
