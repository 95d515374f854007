#!/usr/bin/env bash
# Builds the outage measurement with the release preset and runs it beside a PostgreSQL of its own.
set -u

usage() {
  cat <<'TEXT'
usage: tests/outage/run.sh [--rounds N] [--phase-ms N] [--percent N] [--help]

  --rounds N     how often each fault comes and goes (default 5; two minutes); their median is judged
  --phase-ms N   how long is read without the fault, and then with it (default 2000)
  --percent N    what a p99 with a fault may be of that without (default 120); 0: it is not judged

A cache over a private PostgreSQL, behind a proxy that misbehaves: the server stopped by SIGSTOP, connections
refused, packets dropped, answers dropped. Told is the p99 of reads from memory and from files, with the fault
and without, how late a read came back that only the store could have answered, and whether all that was
written meanwhile reached the store afterwards. Installs what is missing (apt-get, through sudo unless root);
writes to build/release alone, and to a temporary directory that is removed. Broken promises begin with
VIOLATION, the last line gives figures. Exit status: 0 every promise held, 1 some broke, 2 could not run,
130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

rounds=5
phase_ms=2000
percent=120
search_options "rounds phase-ms percent" "$@"

# shellcheck disable=SC2034  # read by search_build
search_preset=release
search_build "$root" outage
search_run "$root/tests/servers/postgres.sh" "$root/build/$search_preset/tests/outage/outage" \
  --rounds "$rounds" --phase-ms "$phase_ms" --percent "$percent"
