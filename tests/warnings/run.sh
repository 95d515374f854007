#!/usr/bin/env bash
# The library as users build it, and a file that uses it: no compiler has anything to say of either.
#   tests/warnings/run.sh [COMPILER...]    default: g++ clang++-19
# Builds below build/warnings. Exit status: 0 no warnings, 1 warnings or errors.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$PWD/build/warnings

# g++ finds some of its warnings in optimised code alone, and in other places when files are compiled
# together. clang finds its own before it optimises: then a room is one file, at a fifth of the cost.
how_to_build() {
  case "$1" in
    *clang*) printf '%s\n' "-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG" -DCMAKE_UNITY_BUILD=ON \
      -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 ;;
    *) echo "-DCMAKE_CXX_FLAGS_RELEASE=-O3 -DNDEBUG" ;;
  esac
}

library() {
  local how
  mapfile -t how < <(how_to_build "$1")
  cmake -S . -B "$build/$1" -G Ninja "-DCMAKE_CXX_COMPILER=$1" -DCMAKE_BUILD_TYPE=Release \
    "${how[@]}" -DTIERCACHE_WARNINGS=ON -DTIERCACHE_WERROR=ON -DTIERCACHE_BUILD_TESTS=OFF \
    -DTIERCACHE_BUILD_BENCH=OFF -DTIERCACHE_BUILD_EXAMPLES=OFF >/dev/null
  cmake --build "$build/$1" --target tiercache_engine tiercache_sqlite tiercache_postgres tiercache_http
}

user_file() {
  local include includes=()
  for include in engine engine/testing adapters/{http,postgres,sqlite}; do
    includes+=("-I$include/include")
  done
  "$1" -std=c++20 -O2 -DNDEBUG -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror "${includes[@]}" \
    -c tests/warnings/user.cc -o "$build/$1/user.o"
}

if (($# == 0)); then set -- g++ clang++-19; fi
for compiler in "$@"; do
  printf '\n--- %s\n' "$("$compiler" --version | head -1)"
  library "$compiler"
  user_file "$compiler"
done
