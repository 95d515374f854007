#!/usr/bin/env bash
# Builds the check of histories with the dev preset and runs it.
set -u

usage() {
  cat <<'TEXT'
usage: tests/history/run.sh [--operations N] [--processes N] [--seed S] [--stalls N] [--stall-ms N] [--help]

  --operations N   calls of each process (default 20,000; half a minute)
  --processes N    how many, 1 to 64 (default 4)
  --seed S         of what they do and of their clocks (default: another one each time)
  --stalls N       how often something stands still meanwhile: in turn one of the processes (SIGSTOP), the whole
                   disk but for reads, and its syncs alone (default 0); no root needed
  --stall-ms N     for how long (default 3,000); above 10,000 writes end at their deadlines

The processes read, write, erase and count up by compare-and-set on shared keys through one directory and one
SQLite store; the clock of each is another one, 15 minutes behind the store's to 15 minutes ahead. Each writes
down when a call began and ended and what it was told; then all is compared: no update lost, by whichever process,
nothing older served to a process than it wrote, nothing served for longer than memory.ttl (and 2 s for a busy
machine) after it was superseded, nothing erased served again, and in the end the newest version of each key
in the directory and in the store.
Each process keeps replacing and syncing a small file beside the cache. When that takes longer than half a second,
the disk or the process stands still, by itself or as asked for: such time does not count as late for what this
process wrote, and a write may end at its deadline. It is then not applied, or in doubt: made or not, but the
same everywhere. While another process stands still, which may hold the locks of some keys, up to three keys may
be late.
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
stalls=0
stall_ms=3000
search_options "operations processes seed stalls stall-ms" "$@"
((operations > 0 && processes > 0 && processes <= 64)) ||
  search_fail "--operations needs a number of at least 1, --processes one from 1 to 64"

search_build "$root" history
search_run "$root/build/dev/tests/history/history" --operations "$operations" \
  --processes "$processes" --seed "$seed" --stalls "$stalls" --stall-ms "$stall_ms"
