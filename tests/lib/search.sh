# shellcheck shell=bash
# What the scripts share that run a search as large as one likes; for bash, sourced by the
# run.sh of tests/crash, tests/powerloss, tests/history and the like.

search_fail() {
  echo "run.sh: $1" >&2
  exit 2
}

search_need_number() {
  [[ $2 =~ ^(0|[1-9][0-9]{0,17})$ ]] || search_fail "$1 needs a number, not '$2'"
}

# search_options "OPTION..." ARGUMENT...: `--name VALUE` sets the variable of that name, with _ for -. An OPTION
# is `name`, which takes a number, `name=PATTERN`, which takes what the regular expression matches, or `name?`,
# which takes nothing and whose variable becomes `--name`. The script's `usage` says what there is.
search_options() {
  local options option kind variable
  read -ra options <<<"$1"
  shift
  while (($# > 0)); do
    kind=unknown
    for option in "${options[@]}"; do
      [[ $1 != "--${option%%[?=]*}" ]] || kind=${option#"${1#--}"}
    done
    if [[ $1 == --help ]]; then
      usage
      exit 0
    elif [[ $kind == unknown ]]; then
      usage >&2
      exit 2
    fi
    variable=${1#--}
    variable=${variable//-/_}
    if [[ $kind == '?' ]]; then
      printf -v "$variable" '%s' "$1"
      shift
      continue
    fi
    (($# >= 2)) || search_fail "$1 needs a value"
    if [[ -z $kind ]]; then
      search_need_number "$1" "$2"
    elif [[ ! $2 =~ ^(${kind#=})$ ]]; then
      search_fail "$1 needs ${kind#=}, not '$2'"
    fi
    printf -v "$variable" '%s' "$2"
    shift 2
  done
}

# Of CMakePresets.json; the script may choose another one.
search_preset=dev

# search_build ROOT TARGET...: installs what is missing and builds these targets with the preset.
search_build() {
  local root=$1
  shift
  # shellcheck source=examples/lib/install.sh
  source "$root/examples/lib/install.sh"
  install_packages test || search_fail "packages are missing"
  (cd "$root" && cmake --preset "$search_preset" >/dev/null) ||
    search_fail "cmake --preset $search_preset failed"
  cmake --build "$root/build/$search_preset" --target "$@" || search_fail "$* does not build"
}

search_temporary=
search_program=

search_clean() {
  if [[ -n $search_program ]]; then
    kill -KILL -- "-$search_program" 2>/dev/null
    wait "$search_program" 2>/dev/null
  fi
  [[ -z $search_temporary ]] || rm -rf "$search_temporary"
}

# search_run PROGRAM ARGUMENT...: runs it in a process group and with a temporary directory of its own,
# neither of which outlives the script, and ends the script with its status: 0 or 1, else 2.
search_run() {
  trap search_clean EXIT
  trap 'exit 130' INT TERM HUP
  search_temporary=$(mktemp -d "${TMPDIR:-/tmp}/tiercache-search.XXXXXX") ||
    search_fail "there is no room for a temporary directory"
  set -m
  TMPDIR=$search_temporary "$@" </dev/null &
  search_program=$!
  set +m
  local status=0
  wait "$search_program" || status=$?
  ((status <= 1)) || search_fail "${1##*/} ended with status $status"
  exit "$status"
}
