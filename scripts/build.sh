#!/usr/bin/env bash
# Configures (once) and builds one CMake preset, JOBS (default: all processors) at a time:
# build.sh PRESET [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# = 0 ]; then
  echo "usage: scripts/build.sh PRESET [TARGET...] (presets: cmake --list-presets)" >&2
  exit 2
fi
preset=$1
shift
[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null
build=(cmake --build --preset "$preset" --parallel "${JOBS:-$(nproc)}")
if [ $# -gt 0 ]; then
  build+=(--target "$@")
fi
"${build[@]}"
