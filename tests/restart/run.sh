#!/usr/bin/env bash
# Builds the measurement of restarts with the release preset and runs it.
set -u

usage() {
  cat <<'TEXT'
usage: tests/restart/run.sh [--entries N] [--help]

  --entries N   of 1 KiB each, at least 100 (default 100000; a minute or two, and 6 KiB of disk for each)

Fills a directory and a SQLite store, a ninth of it twice, the last 1 % while the store is away, kills the process,
brings the store back and opens the directory anew: how long until all schedules are armed, until a read is served,
until the store has confirmed everything, and how much memory that takes at most. Then the same after a close, and
without an index, as after a kill before the first was saved. Nothing is random, so there is no --seed.
Installs what is missing (apt-get, through sudo unless root); writes to build/release alone, and to a temporary
directory that is removed. The last three lines give figures. Exit status: 0 everything was there, 1 it was not,
2 could not run, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

entries=100000
search_options "entries" "$@"
((entries >= 100)) || search_fail "--entries needs a number of at least 100"

search_preset=release
search_build "$root" restart
search_run "$root/build/release/tests/restart/restart" --entries "$entries"
