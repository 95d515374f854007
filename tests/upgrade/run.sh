#!/usr/bin/env bash
# Builds the release before, and runs it and this version on the same directories and stores.
set -u

usage() {
  cat <<'TEXT'
usage: tests/upgrade/run.sh [--commit HASH] [--seconds N] [--seed S] [--build DIR] [--help]

  --commit HASH   the version to upgrade from (default: the commit that CHANGELOG.md names for the newest release)
  --seconds N     how long both are killed side by side (default 60)
  --seed S        of what they do and of when they are killed (default: another one each time)
  --build DIR     take this version's programs from that build directory (default: build/dev, built first)

One after the other: either version leaves a directory and a SQLite store, once closed in order and once killed
with writes of every kind that the store has not confirmed; the other one opens them, finds everything, uses
them and is killed; the first one opens them again and finds everything. Only the release before may refuse
them; then it must name the format, and this version must still find everything. Both are also shown formats
that neither knows, which they must refuse by name.
Side by side: up to three processes at once, of either version, write and read in one directory, with a store
that comes and goes, and are killed at any moment (tests/crash); in one half of the time this version compares
what is there with what was acknowledged, in the other half the release before does. Then two processes of
each, with clocks apart, whose calls are compared by their times (tests/history), 100 operations of each for a
second that was asked for, with either version as the judge. All of this is left out where the release before
refused what this version had left.
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

targets=(upgrade_state crash_driver crash_worker history)
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
  cmake --build "$before/build" --target "${targets[@]}" ||
    search_fail "$full does not build with this tree's tests"
}

if [[ -z $build ]]; then
  search_build "$root" "${targets[@]}"
  build=$root/build/dev
else
  # shellcheck source=examples/lib/install.sh
  source "$root/examples/lib/install.sh"
fi
build_release

old=$before/build
new=$build/tests
declare -A state=([old]=$old/state/upgrade_state [new]=$new/upgrade/state/upgrade_state)
expected=$(printf '%s\n' "$root"/tests/corpus/*.*.*/expected.json | sort -V | tail -n 1)
for program in "${state[new]}" "$new/crash/crash_driver" "$new/crash/crash_worker" "$new/history/history"; do
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
    echo "old refuses what $5 left: $(grep -m 1 -E "${BASH_REMATCH[0]}" <<<"$said")"
    refused=$((refused + 1))
  else
    violation "$1 does not find what $5 left ('$3', status $status): $said"
  fi
  return 1
}

# comes_back WHOSE FIRST STEP PLACE: FIRST finds what the step left, or, where it refuses it, WHOSE still does.
comes_back() {
  local before_it=$refused
  if finds "$2" check "$3" "$4" "$1"; then return 0; fi
  if ((refused > before_it)); then finds "$1" check "$3" "$4" "$1"; fi
  return 1
}

# upgrade FIRST SECOND: the first version writes, the second goes on, the first comes back.
upgrade() {
  local closed=$TMPDIR/$1-to-$2/closed killed=$TMPDIR/$1-to-$2/killed
  acts "$1" 0 closed "$closed" && comes_back "$1" "$2" closed "$closed"
  acts "$1" 137 killed "$killed" && comes_back "$1" "$2" killed "$killed" || return
  acts "$2" 137 use "$killed" && comes_back "$2" "$1" used "$killed" || return
  finds "$1" settled used "$killed" "$1" && finds "$2" settled used "$killed" "$1"
  # Used at once, without a version having settled anything in between.
  rm -rf "$killed"
  acts "$1" 137 killed "$killed" && acts "$2" 137 use "$killed" && comes_back "$2" "$1" used "$killed"
}

# complains VERSION PLACE FILE WORDS: opened, it says these words, and the file stays as it is.
complains() {
  local said before_it
  before_it=$(cksum <"$3")
  said=$("${state[$1]}" complaints "$2" 2>&1)
  [[ $said =~ $4 ]] || violation "$1 does not say '$4' of a newer format, but: $said"
  [[ $(cksum <"$3") == "$before_it" ]] || violation "$1 changed ${3##*/}, which is of a newer format"
}

# byte FILE OFFSET: becomes 99.
byte() {
  printf '\143' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Formats that neither version knows.
newer_formats() {
  local place=$TMPDIR/$1-newer file
  acts "$1" 137 killed "$place/journal" && acts "$1" 0 closed "$place/store" || return
  cp -a "$place/store" "$place/marker" || return
  file=$place/marker/cache/tiercache.json
  sed -i 's/"tiercache_directory":1/"tiercache_directory":99/' "$file"
  complains "$1" "$place/marker" "$file" 'directory format 99, this library reads '
  file=$(echo "$place"/journal/cache/journal/*/*.seg)
  byte "$file" 8
  byte "$file" $(($(stat -c %s "$file") - 56))
  complains "$1" "$place/journal" "$file" 'format 99, this library reads up to '
  file=$place/store/store/store.db
  byte "$file" 63
  complains "$1" "$place/store" "$file" 'schema 99, this program knows '
}

# judges PROGRAM ARGUMENT...: of processes of both versions, side by side.
judges() {
  local status=0
  "$@" || status=$?
  ((status <= 1)) || exit 2
  broken=$((broken + status))
}

side_by_side() {
  local half=$((seconds / 2)) operations=$((100 * seconds))
  local workers=(--worker "$new/crash/crash_worker" --worker "$old/crash/crash_worker")
  judges "$new/crash/crash_driver" "${workers[@]}" --seconds "$half" --seed "$seed"
  judges "$old/crash/crash_driver" "${workers[@]}" --seconds $((seconds - half)) --seed $((seed + 1))
  judges "$new/history/history" --beside "$old/history/history" --operations "$operations" --seed "$seed"
  judges "$old/history/history" --beside "$new/history/history" --operations "$operations" --seed $((seed + 1))
}

everything() {
  upgrade old new
  upgrade new old
  newer_formats old
  newer_formats new
  if ((refused > 0)); then
    echo "side by side: left out, since the release before refuses what this version leaves"
  else
    side_by_side
  fi
  echo "upgrade: $broken violations between ${full:0:12} and this tree: everything found $kept times, refused by" \
    "name $refused times, seed $seed"
  ((broken == 0))
}

search_run everything
