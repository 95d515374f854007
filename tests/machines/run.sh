#!/usr/bin/env bash
# Builds the check of histories over machines with the dev preset and runs it beside a private Postgres.
set -u

usage() {
  cat <<'TEXT'
usage: tests/machines/run.sh [--operations N] [--machines N] [--kills N] [--faults N] [--seed S]
                             [--pooler | --failovers N [--standby sync|async]] [--help]

  --operations N   calls of each machine (default 5,000; half a minute)
  --machines N     how many, 1 to 32 (default 4)
  --kills N        how often a machine's process ends and starts again: four of five by kill -9, the others
                   count beside them and close (default 20)
  --faults N       how often something is done to the server: stopped, crashed and started, all connections
                   terminated, its table locked, a transaction held open (default 10)
  --pooler         the machines reach it through pgbouncer in transaction mode
  --failovers N    how often the server dies and its standby takes over, which had followed it by streaming
                   replication (default 0)
  --standby HOW    sync: nothing is confirmed that the standby lacks; async: it hears nothing for half a second
                   before, so what the server confirmed last may be lost, and is counted beside the violations;
                   all machines must hold the same afterwards all the same (default sync)
  --seed S         of all that (default: another one each time)

Each machine is a process of several threads with a directory of its own and a clock up to 5 min off. All
count up the same documents by compare-and-set, put, erase, invalidate, refresh and read others, and write
down what they tried and were told. In the end the store's rows are followed back, count by count: what was
confirmed must be in that chain, what was refused must not; nothing acknowledged is lost, nothing erased is
back, metadata is that of its document, nothing is parked, and all machines hold what the store holds, before
and after they are opened once more.
The scheduler has its say too: a seed repeats what is tried, not each outcome.
Installs what is missing (apt-get, through sudo unless root); writes to build/dev alone, and to temporary
directories that are removed. Broken promises begin with VIOLATION, the last line of the program gives
figures. Exit status: 0 every promise held, 1 some broke, 2 could not run, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

operations=5000
machines=4
kills=20
faults=10
pooler=
failovers=0
standby=sync
seed=$((RANDOM * 32768 + RANDOM))
search_options "operations machines kills faults pooler? failovers standby=a?sync seed" "$@"
((operations > 0 && machines > 0 && machines <= 32)) ||
  search_fail "--operations needs a number of at least 1, --machines one from 1 to 32"

pooled=0
tail=0
servers=()
if ((failovers > 0)); then
  [[ -z $pooler ]] || search_fail "--pooler goes to one server alone, without --failovers"
  servers=(--standby "$standby")
  if [[ $standby == async ]]; then tail=1; fi
elif [[ -n $pooler ]]; then
  pooled=1
fi

search_build "$root" machines
search_run bash "$root/tests/servers/postgres.sh" "${servers[@]}" "$root/build/dev/tests/machines/machines" \
  --operations "$operations" --machines "$machines" --kills "$kills" --faults "$faults" \
  --failovers "$failovers" --tail "$tail" --pooled "$pooled" --seed "$seed"
