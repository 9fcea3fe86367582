#!/usr/bin/env bash
# Micro-benchmarks, then `gelato bench local` on the bundled models. Numbers of one run on one machine:
# compare rows of the same run, not runs.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh release gelato benchmarks
shopt -s nullglob
for bench in build/release/bin/*_bench; do
  echo "== $(basename "$bench")"
  "$bench" --benchmark_min_time=0.2
done
echo "== gelato bench local"
build/release/bin/gelato bench local
