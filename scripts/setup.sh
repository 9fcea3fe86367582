#!/usr/bin/env bash
# Installs what building and testing Gelato needs on Debian 12, and prints what it does. Safe to run
# again: what is there stays. As root it calls apt-get; otherwise it names what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  # tools
  build-essential ca-certificates ccache clang clang-format clang-tidy cmake git libclang-rt-14-dev
  ninja-build pkg-config python3
  # libraries (docs/dependencies.md says what for)
  libbenchmark-dev libcli11-dev libexpected-dev libfmt-dev libgmock-dev libgtest-dev libhwy-dev
  libspdlog-dev libssl-dev libtomlplusplus-dev nlohmann-json3-dev
)
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
command -v npm >/dev/null || missing+=(npm)

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "setup: these Debian packages are missing; install them, then run this again:" >&2
    echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "setup: all Debian packages are there already"
fi

if pkg-config --exists llama; then
  echo "setup: using the llama.cpp of this system ($(pkg-config --modversion llama))"
else
  scripts/fetch_llama.sh
fi
