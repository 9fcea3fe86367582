#!/usr/bin/env bash
# Compiles two of llama.cpp's own programs against the very libraries that Gelato uses, to compare
# with: build/peers/llama-speculative-simple and build/peers/llama-bench. About half a minute.
#
# The flags that make llama-speculative-simple do what `gelato run` does:
#   -m FILE -md FILE             target and draft model
#   --spec-type draft-simple     speculate with the draft model; without it nothing is drafted
#   --spec-draft-n-max N         draft length gamma (3 by default); --spec-draft-n-min 0
#   --spec-draft-p-min 0         never stop a draft early (the default; above 0 it is the p-min policy)
#   -t N -td N                   threads of target and draft; prompts (-tb, -tbd) follow -t
#   --temp 0                     greedy
#   -c N -n N -s N               context size, tokens to generate, seed
#   -p TEXT                      prompt; BOS is added as the model says
# Text goes to standard output, figures to standard error: lines "encoded", "decoded" (tokens, seconds,
# tokens/s), "n_drafted", "n_accept". A run overshoots -n by up to one draft.
# Example:
#   build/peers/llama-speculative-simple -m assets/models/gelato-tale-6m-q8_0.gguf \
#     -md assets/models/gelato-tale-3m-q8_0.gguf -p "Once upon a time" -n 64 --temp 0 -t 1 -td 1 \
#     -c 512 --spec-type draft-simple --spec-draft-n-max 4 --spec-draft-p-min 0
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/fetch_llama.sh --source
source=build/deps/llama/source
lib=build/deps/llama/lib
out=build/peers
mkdir -p "$out"

libraries=("$lib"/libllama*.so "$lib"/libggml.*so "$lib"/libggml-base*.so)
compile() { # NAME SOURCE...
  local name=$1
  shift
  if [ "$out/$name" -nt "$source/CMakeLists.txt" ] && [ "$out/$name" -nt scripts/peers.sh ]; then
    return
  fi
  echo "peers: compiling $name"
  # shellcheck disable=SC2016 # the loader expands $ORIGIN
  g++ -std=c++17 -O2 -DNDEBUG -w -I"$source/common" -I"$source/include" -I"$source/ggml/include" \
    -I"$source/vendor" "$@" "${libraries[@]}" -Wl,-rpath,'$ORIGIN/../deps/llama/lib' \
    -o "$out/$name"
}
compile llama-speculative-simple "$source/examples/speculative-simple/speculative-simple.cpp"
compile llama-bench "$source"/tools/llama-bench/{llama-bench,main}.cpp

# The programs look for compute backends in their own folder.
for backend in "$lib"/libggml-cpu*.so; do
  ln -sf "../deps/llama/lib/$(basename "$backend")" "$out/"
done
for name in llama-speculative-simple llama-bench; do
  "$out/$name" --help >/dev/null 2>&1 || {
    echo "peers: $out/$name does not start" >&2
    exit 1
  }
  echo "peers: $out/$name"
done
