#!/bin/sh
# Builds the simulation with the dev preset and runs it over a range of seeds.
set -u

usage() {
  cat <<'TEXT'
usage: tests/simulation/run.sh [--seeds N] [--seed S] [--steps N] [--trace KEY] [--help]

  --seeds N     how many seeds (default 1000)
  --seed S      the first of them (default 1)
  --steps N     operations for each (default 400)
  --trace KEY   also prints what happened to this key, a:0 to a:5 or b:0 to b:5; best with --seeds 1

A seed whose run breaks a promise is printed with the call that replays it; after ten the run ends.
The last line gives figures. Exit status: 0 every promise held, 1 some broke, 2 could not run.
TEXT
}

fail() {
  echo "run.sh: $1" >&2
  exit 2
}

seeds=1000
seed=1
steps=400
trace=
while [ $# -gt 0 ]; do
  case "$1" in
    --seeds) [ $# -ge 2 ] || fail "--seeds needs a number"; seeds=$2; shift 2 ;;
    --seed) [ $# -ge 2 ] || fail "--seed needs a number"; seed=$2; shift 2 ;;
    --steps) [ $# -ge 2 ] || fail "--steps needs a number"; steps=$2; shift 2 ;;
    --trace) [ $# -ge 2 ] || fail "--trace needs a key"; trace=$2; shift 2 ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
for number in "$seeds" "$seed" "$steps"; do
  case "$number" in
    '' | *[!0-9]* | 0) fail "--seeds, --seed and --steps need a number of at least 1, not '$number'" ;;
  esac
done
case "$trace" in
  '' | [ab]:[0-5]) ;;
  *) fail "--trace needs a:0 to a:5 or b:0 to b:5, not '$trace'" ;;
esac

root=$(cd "$(dirname "$0")/../.." && pwd) || exit 2
build=$root/build/dev
(cd "$root" && cmake --preset dev >/dev/null) || fail "cmake --preset dev failed"
cmake --build "$build" --target simulate || fail "simulate does not build"

set -- --seeds "$seeds" --seed "$seed" --steps "$steps"
[ -z "$trace" ] || set -- "$@" --trace "$trace"
"$build/tests/simulation/simulate" "$@"
status=$?
[ $status -le 1 ] || fail "simulate ended with status $status"
exit $status
