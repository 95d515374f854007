#!/usr/bin/env bash
# How many instructions a hit in memory takes, of tiercache and of a map behind a mutex: of 101,000 hits less
# those of 1,000, so that opening and closing do not count. Instructions do not depend on what else the machine
# does.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bench/cache/count_hits.sh [--at-most RATIO] [--help]

Builds the library as a release below build/warnings, where tests/warnings/run.sh does, and counts with valgrind.

  --at-most RATIO  fail if a hit of tiercache takes more than so many times the instructions of a naive one

Exit status: 0 counted, 1 more than that or a failure, 2 wrong usage.
TEXT
}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/lib/search.sh
source tests/lib/search.sh
at_most=
search_options 'at-most=[0-9]+([.][0-9]+)?' "$@"

if ! command -v valgrind >/dev/null; then
  echo "count_hits.sh: valgrind is not installed (Debian: apt-get install valgrind)" >&2
  exit 1
fi
# As tests/warnings/run.sh builds it, so that ccache has it.
build=$PWD/build/warnings/hits
cmake -S . -B "$build" -G Ninja -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=Release \
  "-DCMAKE_CXX_FLAGS_RELEASE=-O3 -DNDEBUG" -DTIERCACHE_WARNINGS=ON -DTIERCACHE_WERROR=ON \
  -DTIERCACHE_BUILD_TESTS=OFF -DTIERCACHE_BUILD_EXAMPLES=OFF -DTIERCACHE_BUILD_BENCH=ON >/dev/null
cmake --build "$build" --target hits

scratch=$(mktemp -d "${TMPDIR:-/tmp}/tiercache-hits.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

instructions() {
  rm -rf "$scratch/cache"
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bench/cache/hits" "$1" "$2" \
    "$scratch/cache" 2>&1 | sed -n 's/,//g; s/.*refs: *\([0-9]*\)$/\1/p'
}
per_hit() {
  local few many
  few=$(instructions "$1" 1000)
  many=$(instructions "$1" 101000)
  echo $(((many - few) / 100000))
}
ours=$(per_hit tiercache)
naive=$(per_hit naive)
ratio=$(awk -v a="$ours" -v b="$naive" 'BEGIN { printf "%.2f", a / b }')
echo "instructions of a hit: tiercache $ours, a map behind a mutex $naive: $ratio times"
if [[ -n $at_most ]] && awk -v a="$ratio" -v b="$at_most" 'BEGIN { exit !(a > b) }'; then
  echo "more than $at_most times: something was added to the way of a hit"
  exit 1
fi
