#!/usr/bin/env bash
# Builds the kill -9 search with the dev preset and runs it.
set -u

usage() {
  cat <<'TEXT'
usage: tests/crash/run.sh [--kills N] [--seed S] [--help]

  --kills N   how many processes are killed (default 200; a minute or two)
  --seed S    of what they do and of when they are killed (default: another one each time)

Up to three processes at once write and read in one directory, with a store that comes and goes, and are
killed at any moment and started again. What the directory and, in the end, the store hold is compared with
what was acknowledged. The scheduler has its say too: a seed repeats what is tried, not each outcome.
Installs what is missing (apt-get, through sudo unless root); writes to build/dev alone, and to a temporary
directory that is removed. The first lines of a broken promise begin with VIOLATION, the last line gives
figures. Exit status: 0 every promise held, 1 some broke, 2 could not run, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

kills=200
seed=$((RANDOM * 32768 + RANDOM))
search_options "kills seed" "$@"
((kills > 0)) || search_fail "--kills needs a number of at least 1"

search_build "$root" crash_driver crash_worker
programs=$root/build/dev/tests/crash
search_run "$programs/crash_driver" --worker "$programs/crash_worker" --kills "$kills" --seed "$seed"
