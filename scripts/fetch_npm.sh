# shellcheck shell=bash
# Sourced by the scripts that take pinned files out of npm packages. Call from the repository's root.
npm_cache=build/deps/npm

# fetch_npm PACKAGE VERSION TARBALL SHA512 PIN: leaves the checked tarball in $npm_cache; PIN is the
# file that pins it, for messages.
fetch_npm() {
  local file="$npm_cache/$3"
  mkdir -p "$npm_cache"
  if [ ! -f "$file" ] || ! echo "$4  $file" | sha512sum --check --status; then
    echo "setup: fetching $1 $2"
    (cd "$npm_cache" && npm pack --loglevel error --ignore-scripts --cache "$PWD/npm-cache" \
      "$1@$2" >/dev/null) || {
      echo "setup: npm could not fetch $1; check the network, then run this again." >&2
      exit 1
    }
    rm -rf "$npm_cache/npm-cache" # a second copy of the same tarball
  fi
  if ! echo "$4  $file" | sha512sum --check --status; then
    rm -f "$file"
    echo "setup: $3 does not have the SHA-512 pinned in $5; removed it." >&2
    exit 1
  fi
}
