#!/usr/bin/env bash
# Builds the search over damaged bytes with the dev preset and runs it.
set -u

usage() {
  cat <<'TEXT'
usage: tests/corruption/run.sh [--states N] [--seed S] [--help]

  --states N   how many damaged directories and stores are opened (default 6000; a minute or two);
               0: every byte of every file flipped, zeroed and cut, and every two files swapped
  --seed S     which of them (default 1); the same seed does the same again

Entry files, journal segments, the index, the change feed's cursor and the other files of a directory are
damaged one by one, in a directory whose process was killed with writes that the store has not confirmed and in
one that was closed in order; so are the columns of a SQLite store's rows and the bytes of its file. A whole
cache is opened on each: it must serve the right document or a miss, never a wrong one, and once each key was
written again everything must be as if nothing had been. Of a store's file whose bytes are damaged anywhere,
only that no wrong document is served: SQLite does not check its own structures.
Installs what is missing (apt-get, through sudo unless root); writes to build/dev alone, and to a temporary
directory that is removed. Broken promises begin with VIOLATION, the last line gives figures. Exit status:
0 every promise held, 1 some broke, 2 could not run, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

states=6000
seed=1
search_options "states seed" "$@"

search_build "$root" corruption
search_run "$root/build/dev/tests/corruption/corruption" --states "$states" --seed "$seed"
