#!/usr/bin/env bash
# Installs what Gelato needs on Debian 12 and says what it does. Safe to run again: what is there stays.
#
#   scripts/setup.sh         to build, run and test
#   scripts/setup.sh --dev   also what the checks need (clang, clang-format, clang-tidy, ccache)
#
# As root it calls apt-get; otherwise it names the packages that are missing and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  # tools
  build-essential ca-certificates cmake git iproute2 nftables ninja-build pkg-config python3
  # libraries (docs/dependencies.md says what for)
  libbenchmark-dev libcli11-dev libcpp-httplib-dev libexpected-dev libfmt-dev libgmock-dev
  libgrpc++-dev libgtest-dev libhwy-dev libprotobuf-dev libspdlog-dev libssl-dev libtomlplusplus-dev
  libzstd-dev nlohmann-json3-dev protobuf-compiler protobuf-compiler-grpc
)
if [ "${1:-}" = --dev ]; then
  packages+=(ccache clang clang-format clang-tidy libclang-rt-14-dev)
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
system_llama=no
if pkg-config --exists llama 2>/dev/null; then
  system_llama=yes
fi
command -v npm >/dev/null || missing+=(npm) # brings llama.cpp's prebuilt libraries and uPlot

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "setup: these Debian packages are missing; install them, then run this again:" >&2
    echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o Acquire::Retries=3 update -qq
  apt-get -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
else
  echo "setup: all Debian packages are there already"
fi

if [ $system_llama = yes ]; then
  echo "setup: using the llama.cpp of this system ($(pkg-config --modversion llama))"
else
  scripts/fetch_llama.sh
fi
scripts/fetch_uplot.sh
