#!/usr/bin/env bash
# Runs the fuzzers NAME... (default: every one in build/fuzz/bin) for FUZZ_SECONDS (default 30) each.
# Found inputs stay in build/fuzz/corpus/NAME, for the next run; an input that fails, in
# build/fuzz/failures/NAME. Seeds: the folder tests/MODULE/NAME_seeds, where there is one.
#
# With FUZZ_SEED (not 0) a run begins with the seeds alone and tries the same inputs in the same order
# each time: a faster machine gets further, but nothing else differs.
set -euo pipefail
cd "$(dirname "$0")/.."

shopt -s nullglob
fuzzers=("${@/#/build/fuzz/bin/}")
[ $# -gt 0 ] || fuzzers=(build/fuzz/bin/*_fuzz)
if [ ${#fuzzers[@]} = 0 ]; then
  echo "fuzz: there is no fuzzer in build/fuzz/bin; run: scripts/build.sh fuzz" >&2
  exit 1
fi

seed=${FUZZ_SEED:-0}
repeatable=()
if [ "$seed" != 0 ]; then
  repeatable=(scripts/without_aslr.sh)  # addresses that the program compares become inputs
fi

for fuzzer in "${fuzzers[@]}"; do
  name=$(basename "$fuzzer")
  corpus=build/fuzz/corpus/$name
  failures=build/fuzz/failures/$name
  if [ "$seed" != 0 ]; then
    corpus=build/fuzz/fresh/$name
    rm -rf "$corpus"
  fi
  mkdir -p "$corpus" "$failures"
  log=$failures/log
  if ! "${repeatable[@]}" "$fuzzer" -seed="$seed" -max_total_time="${FUZZ_SECONDS:-30}" \
    -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$failures/" "$corpus" tests/*/"${name}_seeds" \
    >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "fuzz: $name FAILED; its input is in $failures" >&2
    exit 1
  fi
  runs=$(awk '/stat::number_of_executed_units/ {print $2}' "$log")
  echo "fuzz: $name ok, ${runs:-0} inputs in ${FUZZ_SECONDS:-30} s"
done
