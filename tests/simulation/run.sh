#!/usr/bin/env bash
# Builds the simulation with the dev preset and runs it over a range of seeds.
set -u

usage() {
  cat <<'TEXT'
usage: tests/simulation/run.sh [--seeds N] [--seed S] [--steps N] [--trace KEY] [--stop-at N] [--help]

  --seeds N     how many seeds (default 1000)
  --seed S      the first of them (default 1)
  --steps N     operations for each (default 400)
  --trace KEY   also prints what happened to this key, such as a:0 (a: to 8, b: to 5, c: to 1); best with --seeds 1
  --stop-at N   the run ends after so many seeds that broke a promise (default 10)

A seed whose run breaks a promise is printed with the call that replays it.
Installs what is missing (apt-get, through sudo unless root); writes to build/dev alone. The last line gives
figures. Exit status: 0 every promise held, 1 some broke, 2 could not run, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

seeds=1000
seed=1
steps=400
trace=
stop_at=10
search_options "seeds seed steps trace=[abc]:[0-8] stop-at" "$@"
((seeds > 0 && seed > 0 && steps > 0)) ||
  search_fail "--seeds, --seed and --steps need a number of at least 1"

search_build "$root" simulate
search_run "$root/build/dev/tests/simulation/simulate" --seeds "$seeds" --seed "$seed" \
  --steps "$steps" --stop-at "$stop_at" ${trace:+--trace "$trace"}
