#!/usr/bin/env bash
# Many devices at one edge for a while, with devices and the edge killed at random; see
# docs/testing.md. soak.sh [MINUTES [DEVICES [OPTION...]]], options as of soak.py
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 scripts/soak.py --program "${GELATO:-build/release/bin/gelato}" \
  --checker "${GREEDY_CHECK:-build/release/bin/greedy_check}" \
  --minutes "${1:-10}" --devices "${2:-16}" "${@:3}"
