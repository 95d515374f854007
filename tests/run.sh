#!/usr/bin/env bash
# Builds tiercache and runs its tests, from nothing but a Debian with bash and apt.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: tests/run.sh [--all] [--preset NAME] [--label REGEX] [--filter REGEX] [--jobs N] [--help]

Installs what is missing (apt-get, through sudo unless root), builds, runs the tests. Writes to build/, to
ccache's folder, and to a temporary directory that is removed.

  --all            also the tests labelled "long", and the others with long searches
  --preset NAME    of CMakePresets.json: dev (default), release, asan, tsan
  --label REGEX    only tests with such a label: unit, integration, adapter, structure, package, long
  --filter REGEX   only tests whose names match
  --jobs N         compilers at once (default: one per processor), and twice as many tests, since many of them wait;
                   under the thread sanitizer as many

Exit status: 0 all passed, 1 a test or the build failed, 2 wrong usage, 130 interrupted.
TEXT
}

fail() {
  echo "tests/run.sh: $1" >&2
  exit "${2:-1}"
}

all=no
preset=dev
label=
filter=
jobs=$(nproc)
while (($# > 0)); do
  case "$1" in
    --all) all=yes ;;
    --preset | --label | --filter | --jobs)
      (($# >= 2)) || fail "$1 needs a value" 2
      declare "${1#--}=$2"
      shift
      ;;
    --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || fail "--jobs needs a number of at least 1, not '$jobs'" 2
[[ $preset =~ ^[A-Za-z0-9_-]+$ ]] || fail "--preset needs a name, not '$preset'" 2

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/examples/lib/install.sh"

# Each step runs in a process group of its own, so that all it started ends with this script.
step=
stop() {
  trap - INT TERM HUP
  if [[ -n $step ]]; then
    kill -TERM -- "-$step" 2>/dev/null || true
    wait "$step" 2>/dev/null || true
  fi
  exit 130
}
run_step() {
  set -m
  "$@" </dev/null &
  step=$!
  set +m
  local status=0
  wait "$step" || status=$?
  step=
  return $status
}

temporary=$(mktemp -d "${TMPDIR:-/tmp}/tiercache-tests.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
trap stop INT TERM HUP
export TMPDIR=$temporary

# In the foreground, because sudo may ask for a password.
if [[ $preset == asan ]]; then packages="ci"; else packages="test"; fi
install_packages "$packages" || fail "the packages that the build needs are missing"

builds=$root/build
if ! mkdir -p "$builds" 2>/dev/null || [[ ! -w $builds ]]; then
  builds=$temporary/build
  echo "$root cannot be written: building in a temporary directory, from scratch"
fi
build=$builds/$preset
use_ccache "$builds"

cd "$root"
adapters=ON
if [[ -n $label && ! adapter =~ $label ]]; then adapters=OFF; fi  # much to build, and nothing to run
run_step cmake --preset "$preset" -B "$build" -D "TIERCACHE_ADAPTER_TESTS=$adapters" ||
  fail "cmake could not configure preset '$preset'"
run_step cmake --build "$build" --parallel "$jobs" || fail "the build failed"

export LSAN_OPTIONS=suppressions=$root/tests/lib/leaks.supp:print_suppressions=0
# Many tests wait for servers and for time to pass; under the thread sanitizer they compute.
tests=$((2 * jobs))
if [[ $preset == tsan ]]; then tests=$jobs; fi
selection=()
if [[ $all == yes ]]; then
  export TIERCACHE_LONG_TESTS=1
else
  selection+=(--label-exclude '^long$')
fi
if [[ -n $label ]]; then selection+=(--label-regex "$label"); fi
if [[ -n $filter ]]; then selection+=(--tests-regex "$filter"); fi
run_step ctest --test-dir "$build" --parallel "$tests" --output-on-failure --no-tests=error \
  "${selection[@]}" || fail "not all tests passed"
