#!/usr/bin/env bash
# Builds the search over failing disks with the dev preset and runs it.
set -u

usage() {
  cat <<'TEXT'
usage: tests/disk/run.sh [--states N] [--deletions N] [--boundaries N] [--seed S] [--help]

  --states N       how many refusals are met (default 6000; half a minute); 0: every call of a run with EIO,
                   ENOSPC, EROFS and EMFILE in turn, alone, 25 times and until the end, with a store and without
  --deletions N    how often the directory is deleted under the open cache, at a call of the file system each, with
                   a store and without (default 1000; some seconds); more than there are: at every call; 0: not at all
  --boundaries N   how often a tmpfs of 4 MiB is filled, leaving room for 0 pages, for 1, and so on, with a store
                   and without, and how often, up to 12 times, a cache is opened there with 0 inodes left, with 1, and
                   so on (default 100; some seconds); 0: not at all
  --seed S         of what is written (default 1)

A cache writes, reads, is killed and opened again while its disk refuses calls, is full or loses the directory. What it is told
must be true: what was acknowledged is in the tiers that the receipt names, what was refused is nowhere, with a
store the write goes there while the disk refuses. When the disk works again everything must work by itself.
A tmpfs needs root or user namespaces; without them that part is left out, and the last line says so.
Installs what is missing (apt-get, through sudo unless root); writes to build/dev alone, and to a temporary
directory that is removed. Broken promises begin with VIOLATION, the last line gives figures. Exit status:
0 every promise held, 1 some broke, 2 could not run, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

states=6000
deletions=1000
boundaries=100
seed=1
search_options "states deletions boundaries seed" "$@"

search_build "$root" disk
search_run "$root/build/dev/tests/disk/disk" --states "$states" --deletions "$deletions" \
  --boundaries "$boundaries" --seed "$seed"
