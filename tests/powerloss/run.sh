#!/usr/bin/env bash
# Builds the search over power-loss states with the dev preset and runs it.
set -u

usage() {
  cat <<'TEXT'
usage: tests/powerloss/run.sh [--states N] [--seed S] [--trace] [--help]

  --states N   how many states of the disk are recovered from (default 20000; about a minute)
  --seed S     of the first world (default 1); the same seed does the same again
  --trace      also prints every step and every operation of the disk; best with --states 1

Whole caches write to a disk in memory. At operations chosen by the seed the power goes: what was not synced
survives or does not, by the seed too. A cache is opened on each such state, some of them lose power again
while they recover, and what they serve is compared with what was acknowledged.
Installs what is missing (apt-get, through sudo unless root); writes to build/dev alone. The first lines of
a broken promise begin with VIOLATION and name the seed, the last line gives figures.
Exit status: 0 every promise held, 1 some broke, 2 could not run, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

states=20000
seed=1
trace=
search_options "states seed trace?" "$@"
((states > 0)) || search_fail "--states needs a number of at least 1"

search_build "$root" powerloss_search
search_run "$root/build/dev/tests/powerloss/powerloss_search" --states "$states" --seed "$seed" \
  ${trace:+"$trace"}
