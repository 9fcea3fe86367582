#!/usr/bin/env bash
# Compiles llama.cpp's HTTP server against the very libraries that Gelato uses, to compare an edge with
# (`gelato bench edge --llama-server build/peers/llama-server`). JOBS (default: all processors) at a
# time; ten minutes of processor time. Without its web page. What is compiled already stays.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/fetch_llama.sh --source
source=build/deps/llama/source
lib=build/deps/llama/lib
out=build/peers
objects=$out/llama-server.objects
mkdir -p "$objects"

# Its generator writes the sources of a web page without files.
cmake -DUI_SOURCE_DIR="$PWD/$source/tools/ui" -DUI_BINARY_DIR="$PWD/$objects" \
  -DLLAMA_SOURCE_DIR="$PWD/$source" -DHF_ENABLED=OFF -DBUILD_UI=OFF \
  -P "$source/scripts/ui-assets.cmake" >/dev/null

# cpp-httplib is in libllama-common.so, which was built with LLAMA_SUBPROCESS: that decides the layout
# of its classes.
export OBJECTS=$objects
export FLAGS="-O2 -DNDEBUG -DLLAMA_SUBPROCESS -w -I$objects -I$source/common
  -I$source/include -I$source/ggml/include -I$source/vendor -I$source/tools/mtmd -I$source/vendor/hash -I$source"
# shellcheck disable=SC2016 # the shell of each job expands them
printf '%s\n' "$objects/ui.cpp" "$source"/tools/server/*.cpp "$source"/tools/mtmd/models/*.cpp \
  "$source"/tools/mtmd/{clip,mtmd,mtmd-audio,mtmd-image,mtmd-helper,mtmd-helper-gen}.cpp \
  "$source"/vendor/hash/{hash.cpp,xxhash/xxhash.c,sha1/sha1.c,sha256/sha256.c} |
  xargs -P "${JOBS:-$(nproc)}" -I{} bash -euc '
    object=$OBJECTS/$(basename "$1").o
    [ "$object" -nt "$1" ] && exit
    echo "llama-server: $(basename "$1")"
    case $1 in
      */sha1.c | *.cpp) g++ -x c++ -std=c++17 $FLAGS -c "$1" -o "$object.tmp" ;; # sha1.c has a namespace
      *) gcc $FLAGS -c "$1" -o "$object.tmp" ;;
    esac
    mv "$object.tmp" "$object"' compile {}

# shellcheck disable=SC2016 # the loader expands $ORIGIN
g++ "$objects"/*.o "$lib"/libllama*.so "$lib"/libggml.*so "$lib"/libggml-base*.so -pthread \
  -Wl,-rpath,'$ORIGIN/../deps/llama/lib' -o "$out/llama-server"
# The programs look for compute backends in their own folder.
for backend in "$lib"/libggml-cpu*.so; do
  ln -sf "../deps/llama/lib/$(basename "$backend")" "$out/"
done
"$out/llama-server" --version >/dev/null 2>&1 || {
  echo "llama-server: $out/llama-server does not start" >&2
  exit 1
}
echo "llama-server: $out/llama-server"
