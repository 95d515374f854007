#!/usr/bin/env bash
# Builds the check of histories with the dev preset and runs it.
set -u

usage() {
  cat <<'TEXT'
usage: tests/history/run.sh [--operations N] [--processes N] [--seed S] [--help]

  --operations N   calls of each process (default 20,000; half a minute)
  --processes N    how many, 1 to 64 (default 4)
  --seed S         of what they do and of their clocks (default: another one each time)

The processes read, write, erase and count up by compare-and-set on shared keys through one directory and one
SQLite store; the clock of each is another one, 15 minutes behind the store's to 15 minutes ahead. Each writes
down when a call began and ended and what it was told; then all is compared: no update lost, by whichever process,
nothing older served to a process than it wrote, nothing served for longer than memory.ttl (and 2 s for a busy
machine) after it was superseded, nothing erased served again, and in the end the newest version of each key
in the directory and in the store.
The scheduler has its say too: a seed repeats what is tried, not each outcome.
Installs what is missing (apt-get, through sudo unless root); writes to build/dev alone, and to a temporary
directory that is removed. Broken promises begin with VIOLATION, the last line gives figures. Exit status:
0 every promise held, 1 some broke, 2 could not run, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

operations=20000
processes=4
seed=$((RANDOM * 32768 + RANDOM))
search_options "operations processes seed" "$@"
((operations > 0 && processes > 0 && processes <= 64)) ||
  search_fail "--operations needs a number of at least 1, --processes one from 1 to 64"

search_build "$root" history
search_run "$root/build/dev/tests/history/history" --operations "$operations" \
  --processes "$processes" --seed "$seed"
