#!/usr/bin/env bash
# Puts uPlot's script and style sheet, as its npm package holds them ready to use, below
# build/deps/uplot. The SHA-512 of the package is pinned in web.pin. Does nothing when they are there.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/web.pin
. scripts/web.pin
# shellcheck source=scripts/fetch_npm.sh
. scripts/fetch_npm.sh

dest=build/deps/uplot
if [ "$(cat "$dest/.stamp" 2>/dev/null)" = "$UPLOT_VERSION" ]; then
  echo "setup: uPlot $UPLOT_VERSION is there already"
  exit 0
fi
tarball="uplot-$UPLOT_VERSION.tgz"
fetch_npm uplot "$UPLOT_VERSION" "$tarball" "$UPLOT_SHA512" scripts/web.pin
rm -rf "$dest"
mkdir -p "$dest"
tar -xzf "$npm_cache/$tarball" -C "$dest" --strip-components=1 package/LICENSE
tar -xzf "$npm_cache/$tarball" -C "$dest" --strip-components=2 \
  package/dist/uPlot.iife.min.js package/dist/uPlot.min.css
echo "$UPLOT_VERSION" >"$dest/.stamp"
echo "setup: uPlot $UPLOT_VERSION is below $dest"
