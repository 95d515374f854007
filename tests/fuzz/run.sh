#!/bin/sh
# Builds the fuzz targets with the asan preset and runs each for a while, as many at a time as there are
# processors.
set -u

usage() {
  cat <<'TEXT'
usage: tests/fuzz/run.sh [--seconds N] [--target NAME] [--help]

  --seconds N     how long each target runs (default 60)
  --target NAME   only this one, e.g. document (default: all of tests/fuzz/*_fuzz.cc)

Inputs that reached new code are kept under build/asan/fuzz/<target>/corpus and are tried first by the
next run; inputs that broke something are kept beside it as crash-*, leak-*, timeout-* and the like.
The last line gives figures. Exit status: 0 nothing found, 1 something found, 2 could not run.
TEXT
}

fail() {
  echo "run.sh: $1" >&2
  exit 2
}

seconds=60
only=
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds) [ $# -ge 2 ] || fail "--seconds needs a number"; seconds=$2; shift 2 ;;
    --target) [ $# -ge 2 ] || fail "--target needs a name"; only=$2; shift 2 ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
case "$seconds" in
  '' | *[!0-9]* | 0) fail "--seconds needs a number of at least 1, not '$seconds'" ;;
esac

here=$(cd "$(dirname "$0")" && pwd) || exit 2
root=$(cd "$here/../.." && pwd) || exit 2
build=$root/build/asan

targets=
for source in "$here"/*_fuzz.cc; do
  name=$(basename "$source" _fuzz.cc)
  if [ -z "$only" ] || [ "$only" = "$name" ]; then targets="$targets $name"; fi
done
[ -n "$targets" ] || fail "there is no target '$only'"

(cd "$root" && cmake --preset asan >/dev/null) || fail "cmake --preset asan failed"
programs=
for name in $targets; do programs="$programs ${name}_fuzz"; done
# shellcheck disable=SC2086  # one word each
cmake --build "$build" --target $programs || fail "not all targets build"

# Runs one target; leaves its figures in its folder, as `result`.
run_target() {
  work=$build/fuzz/$1
  mkdir -p "$work/corpus" || fail "cannot create $work"
  set -- "$1" "$work/corpus"
  [ -d "$here/seeds/$1" ] && set -- "$@" "$here/seeds/$1"
  [ -f "$here/$1.dict" ] && set -- "$@" "-dict=$here/$1.dict"
  name=$1
  shift
  "$build/tests/fuzz/${name}_fuzz" "-max_total_time=$seconds" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 "-artifact_prefix=$work/" "$@" >"$work/log" 2>&1
  status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
  if [ $status -eq 0 ]; then
    echo "${runs:-?}" >"$work/result"
  else
    tail -n 40 "$work/log"
    echo "run.sh: $name found something, its input is in $work" >&2
    echo FOUND >"$work/result"
  fi
}

trap 'trap - TERM; kill 0' INT TERM
at_once=$(nproc)
running=0
for name in $targets; do
  rm -f "$build/fuzz/$name/result"
  run_target "$name" &
  running=$((running + 1))
  if [ "$running" -eq "$at_once" ]; then
    wait
    running=0
  fi
done
wait

found=0
summary=
for name in $targets; do
  result=$(cat "$build/fuzz/$name/result" 2>/dev/null || echo FOUND)
  [ "$result" = FOUND ] && found=$((found + 1))
  summary="$summary $name=$result"
done
echo "fuzz: $found findings, $seconds s each, runs:$summary"
[ "$found" -eq 0 ]
