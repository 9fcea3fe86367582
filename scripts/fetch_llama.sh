#!/usr/bin/env bash
# Puts llama.cpp's prebuilt libraries and headers below build/deps/llama (lib/, include/), from npm
# packages whose SHA-512 is pinned in llama.pin. Does nothing when they are there already.
# With --source also build/deps/llama/source, the release's source tree (for `make peers`).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/llama.pin
. scripts/llama.pin

dest=build/deps/llama
stamp="$dest/.stamp"
want="$LLAMA_RELEASE $LLAMA_NPM_VERSION $(uname -m)"
with_source=no
[ "${1:-}" = --source ] && with_source=yes

case "$(uname -m)" in
  x86_64) libraries=$LLAMA_X64 ;;
  aarch64) libraries=$LLAMA_ARM64 ;;
  *)
    echo "There are no prebuilt llama.cpp libraries for $(uname -m): install llama.cpp" \
      "$LLAMA_RELEASE so that CMake or pkg-config finds it." >&2
    exit 1
    ;;
esac

# shellcheck source=scripts/fetch_npm.sh
. scripts/fetch_npm.sh

fetch() { # PACKAGE TARBALL SHA512: leaves the checked tarball in $npm_cache
  fetch_npm "$1" "$LLAMA_NPM_VERSION" "$2" "$3" scripts/llama.pin
}

bundle() { # unpacks the release's git bundle into $1
  # shellcheck disable=SC2086 # three words by design
  fetch $LLAMA_BUNDLE
  rm -rf "$1" "$dest/bundle.tmp"
  mkdir -p "$dest/bundle.tmp"
  tar -xzf "$npm_cache/node-llama-cpp-$LLAMA_NPM_VERSION.tgz" -C "$dest/bundle.tmp" \
    package/llama/gitRelease.bundle
  git clone --quiet --no-checkout "$dest/bundle.tmp/package/llama/gitRelease.bundle" "$1"
  rm -rf "$dest/bundle.tmp"
  if [ "$(git -C "$1" rev-parse HEAD)" != "$LLAMA_COMMIT" ]; then
    echo "setup: the release bundle holds another commit than scripts/llama.pin says." >&2
    exit 1
  fi
}

if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
  rm -rf "$dest"
  mkdir -p "$dest/lib" "$dest/include"
  # shellcheck disable=SC2086
  fetch $libraries
  # shellcheck disable=SC2086
  set -- $libraries
  tar -xzf "$npm_cache/$2" -C "$dest" --strip-components=3 --wildcards 'package/bins/*/lib*.so'
  mv "$dest"/lib*.so "$dest/lib/"
  tar -xzf "$npm_cache/$2" -C "$dest" --strip-components=1 package/LICENSE
  bundle "$dest/headers.tmp"
  git -C "$dest/headers.tmp" checkout --quiet HEAD -- include ggml/include LICENSE
  cp "$dest"/headers.tmp/include/*.h "$dest"/headers.tmp/ggml/include/*.h "$dest/include/"
  cp "$dest/headers.tmp/LICENSE" "$dest/LICENSE.llama.cpp"
  rm -rf "$dest/headers.tmp"
  echo "$want" >"$stamp"
  echo "setup: llama.cpp $LLAMA_RELEASE is below $dest"
else
  echo "setup: llama.cpp $LLAMA_RELEASE is there already"
fi

if [ $with_source = yes ] && [ ! -d "$dest/source" ]; then
  bundle "$dest/source.tmp"
  git -C "$dest/source.tmp" checkout --quiet HEAD -- .
  mv "$dest/source.tmp" "$dest/source"
  echo "setup: llama.cpp $LLAMA_RELEASE source is below $dest/source"
fi
