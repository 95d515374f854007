#!/usr/bin/env bash
# Builds the kill -9 search and runs it for a while, with more going on at once.
set -u

usage() {
  cat <<'TEXT'
usage: tests/soak/run.sh [--minutes M] [--seed S] [--preset NAME] [--help]

  --minutes M     for how long (default 10)
  --seed S        of what is done and when (default: another one each time)
  --preset NAME   of CMakePresets.json: tsan (default), asan, dev

All of it together: up to three processes at once, each with two caches on one directory and one SQLite store
that comes and goes, on a disk of whose syncs some fail; puts, erases, erases by pattern, invalidations, reads
and refreshes, until a process is killed at any moment or closes in order, and starts again. An oracle outside
of them compares what is served, what the directory holds while all are dead, and what the store holds in the
end with what was acknowledged (tests/crash).
Installs what is missing (apt-get, through sudo unless root); writes to build/<preset> alone, and to a temporary
directory that is removed. The first lines of a broken promise begin with VIOLATION, the last line gives
figures. Exit status: 0 every promise held, 1 some broke, 2 could not run, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

minutes=10
seed=$((RANDOM * 32768 + RANDOM))
preset=tsan
search_options "minutes seed preset=tsan|asan|dev" "$@"
((minutes > 0)) || search_fail "--minutes needs a number of at least 1"

search_preset=$preset
search_build "$root" crash_driver crash_worker
programs=$root/build/$preset/tests/crash
search_run "$programs/crash_driver" --worker "$programs/crash_worker" --minutes "$minutes" \
  --seed "$seed"
