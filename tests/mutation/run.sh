#!/usr/bin/env bash
# How strong the tests are: plants small mistakes in the sources, one at a time as far as the tests can see,
# and says which of them no test noticed.
set -u

usage() {
  cat <<'TEXT'
usage: tests/mutation/run.sh [--rooms "ROOM..."] [--mutants N] [--seed S] [--minutes M] [--longest S]
                             [--patience S] [--jobs N] [--again] [--help]

  --rooms "ROOM..."  where: folders of engine/src, and adapters; default all that have tests of their own:
                     base system json memory files journal outbox refresh cache postgres sqlite http
  --mutants N        how many in each room, chosen by the seed (default 20); 0 for every one
  --seed S           (default 1)
  --minutes M        begins with no further mutant after so many minutes of hunting (default 0: no limit)
  --longest S        leaves out tests that take more seconds than this (default 2)
  --patience S       a mutant has survived after tests that take so many seconds without it (default 10), those
                     of its own room first; a large hunt gives more
  --jobs N           mutants at once (default: one per processor)
  --again            those that survived the last hunt, to see whether a new test kills them

A mutant is a changed comparison, a condition that always or never holds, an operand or a statement left out, two
statements in the wrong order and the like (tests/mutation/planter.h lists the kinds). All are compiled into one
copy of the tree, in build/mutation, each behind a question whether it is awake; a run of every unit and
integration test (and of the adapters', where their mutants are hunted) tells which test reaches which mutant;
then each mutant is woken, and the tests that reach it run until one fails.

Prints the mutants that survive, then a table by room. Those that nothing could notice are in explained.json,
each with the reason, and are counted apart. Installs what is missing (apt-get, through sudo unless root); writes
to build/mutation alone. Exit status: 0 the hunt ran, 2 it could not, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
here=$root/tests/mutation
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"
# shellcheck source=examples/lib/install.sh
source "$root/examples/lib/install.sh"

rooms="base system json memory files journal outbox refresh cache postgres sqlite http"
mutants=20
seed=1
minutes=0
longest=2
patience=10
jobs=$(nproc)
again=
search_options "rooms=[a-z[:space:]]+ mutants seed minutes longest patience jobs again?" "$@"
((jobs > 0)) || search_fail "--jobs needs a number of at least 1"

folders=()
adapters=
for room in $rooms; do
  if [[ -d $root/engine/src/$room ]]; then
    folders+=("engine/src/$room")
  elif [[ -d $root/adapters/$room ]]; then
    folders+=("adapters/$room")
    adapters=--adapters
  else
    search_fail "there is no room '$room' in engine/src or adapters"
  fi
done

install_packages mutation || search_fail "packages are missing"
work=$root/build/mutation
tree=$work/tree
mkdir -p "$work" || search_fail "$work cannot be made"

cmake -S "$here" -B "$work/tools" -G Ninja -D CMAKE_BUILD_TYPE=Release >/dev/null &&
  cmake --build "$work/tools" || search_fail "the programs of tests/mutation do not build"

# Everything is copied anew, since planting changes it; ccache knows what stayed the same.
copy_tree() {
  rm -rf "$tree" && mkdir -p "$tree" || return
  (cd "$root" && find . -mindepth 1 -maxdepth 1 ! -name build ! -name .git -print0 |
    xargs -0 cp -a --target-directory="$tree")
}
copy_tree || search_fail "$root cannot be copied to $tree"

cmake -S "$tree" -B "$work/build" -G Ninja -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_FLAGS_DEBUG=-O1 \
  -D CMAKE_CXX_FLAGS="-w -include $here/mutant.h" -D TIERCACHE_WARNINGS=OFF -D TIERCACHE_BUILD_BENCH=OFF \
  -D TIERCACHE_ADAPTER_TESTS="$([[ $adapters ]] && echo ON || echo OFF)" >/dev/null ||
  search_fail "the copy in $tree cannot be configured"
"$work/tools/plant" --build "$work/build" --tree "$tree" --list "$work/mutants.json" "${folders[@]}" ||
  search_fail "nothing could be planted"
cmake --build "$work/build" --parallel "$jobs" || search_fail "the planted tree does not build"

search_run "$work/tools/hunt" --build "$work/build" --list "$work/mutants.json" \
  --explained "$here/explained.json" --results "$work/results.json" --mutants "$mutants" --seed "$seed" \
  --minutes "$minutes" --longest "$longest" --patience "$patience" --jobs "$jobs" $adapters ${again:+"$again"}
