#!/usr/bin/env bash
# Builds the release before, and runs it and this version on the same directories and stores.
set -u

usage() {
  cat <<'TEXT'
usage: tests/upgrade/run.sh [--commit HASH] [--seconds N] [--seed S] [--build DIR] [--help]

  --commit HASH   the version to upgrade from (default: the commit that CHANGELOG.md names for the newest release)
  --seconds N     how long both run side by side (default 60)
  --seed S        of what they do and of when they are killed (default: another one each time)
  --build DIR     take this version's programs from that build directory (default: build/dev, built first)

One after the other: either version leaves a directory and a SQLite store, once closed in order and once killed
with writes of every kind that the store has not confirmed; the other one opens them, finds everything, uses
them and is killed; the first one opens them again and finds everything; only the release before may refuse them, and must then
name the format.
Both are also shown formats newer than they know, which they must refuse by name.
Side by side: up to three processes at once, of either version, write and read in one directory, with a store
that comes and goes, and are killed at any moment (tests/crash); in one half of the time this version compares
what is there with what was acknowledged, in the other half the release before does. Left out where
the release before refused what this version had left.
Installs what is missing (apt-get, through sudo unless root); writes to build/dev and build/upgrade alone, and
to a temporary directory that is removed. The first lines of a broken promise begin with VIOLATION, the last
lines give figures. Exit status: 0 every promise held, 1 some broke, 2 could not run, 77 this clone's history
lacks the commit, 130 interrupted.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 2
# shellcheck source=tests/lib/search.sh
source "$root/tests/lib/search.sh"

commit=$(sed -n 's/^Commit `\([0-9a-f]\{40\}\)`.*/\1/p' "$root/CHANGELOG.md" | head -n 1)
seconds=60
seed=$((RANDOM * 32768 + RANDOM))
build=
search_options "commit=[0-9a-f]{7,40} seconds seed build=.+" "$@"
[[ -n $commit ]] || search_fail "CHANGELOG.md names no commit of a release"
((seconds > 1)) || search_fail "--seconds needs a number of at least 2"

if ! full=$(git -C "$root" rev-parse --quiet --verify "$commit^{commit}" 2>/dev/null); then
  echo "run.sh: skipped: this clone's history lacks commit $commit (git fetch --unshallow brings it)" >&2
  exit 77
fi

# --- The programs of both versions ---

before=$root/build/upgrade/${full:0:12}

unpack_release() {
  rm -rf "$before/source" && mkdir -p "$before/unpacked" || return
  git -C "$root" archive "$full" | tar -x -C "$before/unpacked" || return
  mv "$before/unpacked" "$before/source"
}

build_release() {
  [[ -d $before/source ]] || unpack_release || search_fail "$full cannot be unpacked"
  use_ccache "$root/build"
  local launcher=()
  if command -v ccache >/dev/null; then
    launcher=(-D "CMAKE_CXX_COMPILER_LAUNCHER=env;CCACHE_BASEDIR=$root;CCACHE_NOHASHDIR=1;ccache")
  fi
  cmake -S "$root/tests/upgrade/release" -B "$before/build" -G Ninja -D "TIERCACHE_RELEASE=$before/source" \
    -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_FLAGS_DEBUG=-O1 -D CMAKE_UNITY_BUILD=ON "${launcher[@]}" >/dev/null ||
    search_fail "cmake could not configure $full"
  cmake --build "$before/build" --target upgrade_state crash_driver crash_worker ||
    search_fail "$full does not build with this tree's tests"
}

if [[ -z $build ]]; then
  search_build "$root" upgrade_state crash_driver crash_worker
  build=$root/build/dev
else
  # shellcheck source=examples/lib/install.sh
  source "$root/examples/lib/install.sh"
fi
build_release

declare -A state=([old]=$before/build/state/upgrade_state [new]=$build/tests/upgrade/state/upgrade_state)
old_crash=$before/build/crash
new_crash=$build/tests/crash
expected=$root/tests/corpus/0.1.0/expected.json
for program in "${state[new]}" "$new_crash/crash_driver" "$new_crash/crash_worker"; do
  [[ -x $program ]] || search_fail "$program is not there"
done

# --- What is done ---

broken=0
kept=0    # times one version found everything that the other one had left
refused=0 # times it refused and named the format

violation() {
  echo "VIOLATION $1"
  broken=$((broken + 1))
}

# acts VERSION STATUS STEP PLACE: the step must end with that status.
acts() {
  local status=0
  { "${state[$1]}" "$3" "$4" || status=$?; } 2>/dev/null
  if ((status == $2)); then return 0; fi
  violation "$1: step '$3' ended with status $status, not $2"
  return 1
}

# finds VERSION HOW STEP PLACE WHOSE: everything that the step left is there; 1 where it is not. The old version
# may refuse it where it names the format, the new one may not.
finds() {
  local status=0 said
  said=$("${state[$1]}" "$2" "$4" "$expected" "$3" 2>&1) || status=$?
  if ((status == 0)); then
    kept=$((kept + 1))
    return 0
  fi
  if [[ $1 == old && $said =~ (format|schema)\ [0-9]+,\ this\ (library|program) ]]; then
    echo "old refuses what $5 left: $said"
    refused=$((refused + 1))
  else
    violation "$1 does not find what $5 left ('$3', status $status): $said"
  fi
  return 1
}

# upgrade FIRST SECOND: the first version writes, the second goes on, the first comes back.
upgrade() {
  local closed=$TMPDIR/$1-to-$2/closed killed=$TMPDIR/$1-to-$2/killed
  mkdir -p "$closed" "$killed"
  acts "$1" 0 closed "$closed" && finds "$2" check closed "$closed" "$1"
  acts "$1" 137 killed "$killed" && finds "$2" check killed "$killed" "$1" &&
    acts "$2" 137 use "$killed" && finds "$1" check used "$killed" "$2" &&
    finds "$1" settled used "$killed" "$1" && finds "$2" settled used "$killed" "$1"
  # Used at once, without a version having settled anything in between.
  rm -rf "$killed"
  acts "$1" 137 killed "$killed" && acts "$2" 137 use "$killed" && finds "$1" check used "$killed" "$2"
}

# complains VERSION PLACE FILE WORDS: opened, it says these words, and the file stays as it is.
complains() {
  local said before_it
  before_it=$(cksum <"$3")
  said=$("${state[$1]}" complaints "$2" 2>&1)
  [[ $said =~ $4 ]] || violation "$1 does not say '$4' of a newer format, but: $said"
  [[ $(cksum <"$3") == "$before_it" ]] || violation "$1 changed ${3##*/}, which is of a newer format"
}

# byte FILE OFFSET: becomes 2.
byte() {
  printf '\2' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Formats that neither version knows.
newer_formats() {
  local place=$TMPDIR/$1-newer file
  acts "$1" 137 killed "$place/journal" && acts "$1" 0 closed "$place/store" || return
  cp -a "$place/store" "$place/marker" || return
  file=$place/marker/cache/tiercache.json
  sed -i 's/"tiercache_directory":1/"tiercache_directory":2/' "$file"
  complains "$1" "$place/marker" "$file" 'directory format 2, this library reads 1'
  file=$(echo "$place"/journal/cache/journal/*/0000000001.seg)
  byte "$file" 8
  byte "$file" $(($(stat -c %s "$file") - 56))
  complains "$1" "$place/journal" "$file" 'format 2, this library reads up to 1'
  file=$place/store/store/store.db
  byte "$file" 63
  complains "$1" "$place/store" "$file" 'schema 2, this program knows 1'
}

# side_by_side DRIVER SECONDS SEED: workers of both versions.
side_by_side() {
  local status=0
  "$1" --worker "$new_crash/crash_worker" --worker "$old_crash/crash_worker" --seconds "$2" --seed "$3" || status=$?
  ((status <= 1)) || exit 2
  broken=$((broken + status))
}

everything() {
  upgrade old new
  upgrade new old
  newer_formats old
  newer_formats new
  if ((refused > 0)); then
    echo "side by side: left out, since the release before refuses what this version leaves"
  else
    local half=$((seconds / 2))
    side_by_side "$new_crash/crash_driver" "$half" "$seed"
    side_by_side "$old_crash/crash_driver" $((seconds - half)) $((seed + 1))
  fi
  echo "upgrade: $broken violations between ${full:0:12} and this tree: everything found $kept times, refused by" \
    "name $refused times, seed $seed"
  ((broken == 0))
}

search_run everything
