#!/usr/bin/env bash
# Builds the rounds of wiped directories with the dev preset and runs them.
set -u

usage() {
  cat <<'TEXT'
usage: tests/ephemeral/run.sh [--rounds N] [--seed S] [--help]

  --rounds N   how many times (default 100; half a minute)
  --seed S     of what is written (default: another one each time)

A cache over a SQLite store writes, is closed in order, loses its directory, and is opened anew: with the store
there, everything must be back; with the store away at the close, what is lost must be what the receipt's
left_in_outbox said. In every tenth round the store is switched off by its flag, on, off and on again, with
writes in each life: the store must end with every document once, and the journal must stay bounded throughout.
Installs what is missing (apt-get, through sudo unless root); writes to build/dev alone, and to a temporary
directory that is removed. Broken promises begin with VIOLATION, the last line gives figures. Exit status:
0 every promise held, 1 some broke, 2 could not run, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

rounds=100
seed=$((RANDOM * 32768 + RANDOM))
search_options "rounds seed" "$@"
((rounds > 0)) || search_fail "--rounds needs a number of at least 1"

search_build "$root" ephemeral
search_run "$root/build/dev/tests/ephemeral/ephemeral" --rounds "$rounds" --seed "$seed"
