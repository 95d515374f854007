# shellcheck shell=bash
# Installs the Debian packages that building tiercache takes; the one place that names them. And says where
# ccache keeps what was compiled. For bash, sourced by examples/run.sh and tests/run.sh:
#
#     source "$root/examples/lib/install.sh"
#     install_packages run     # the library, its adapters and the examples
#     install_packages server  # that, and a Postgres with a pooler
#     install_packages test    # that, and what the tests and benchmarks take
#     install_packages ci      # that, and the other compilers
#     install_packages mutation  # what the tests take, and Clang's libraries
#
# Installs only what is missing, upgrades nothing, and says so when it cannot. On systems without apt-get
# it does nothing: what is missing then, CMake says.

tiercache_packages() {
  local run=(g++ cmake ninja-build ccache libsimdjson-dev nlohmann-json3-dev libspdlog-dev
    libboost-filesystem-dev libxxhash-dev libsqlite3-dev libpqxx-dev libssl-dev libcurl4-openssl-dev
    libcpp-httplib-dev libcli11-dev pkgconf iso-codes ca-certificates curl jq)
  local test=(libgtest-dev libgmock-dev libbenchmark-dev libboost-dev clang-format-14 zlib1g-dev openssl)
  local server=(postgresql pgbouncer)
  local ci=(clang-14 libclang-rt-14-dev clang-19 valgrind)
  local mutation=(libclang-14-dev libclang-cpp14-dev llvm-14-dev)
  case "$1" in
    run) echo "${run[@]}" ;;
    server) echo "${run[@]}" "${server[@]}" ;;
    test) echo "${run[@]}" "${server[@]}" "${test[@]}" ;;
    ci) echo "${run[@]}" "${server[@]}" "${test[@]}" "${ci[@]}" ;;
    mutation) echo "${run[@]}" "${server[@]}" "${test[@]}" "${mutation[@]}" ;;
    *)
      echo "install_packages: no group '$1'" >&2
      return 2
      ;;
  esac
}

# use_ccache DIRECTORY: objects are kept in the user's own cache, or below the directory where there is none.
use_ccache() {
  local own=${XDG_CACHE_HOME:-${HOME:-/nowhere}/.cache}/ccache
  if [[ -n ${CCACHE_DIR:-} ]]; then return; fi
  if ! mkdir -p "$own" 2>/dev/null || [[ ! -w $own ]]; then export CCACHE_DIR=$1/ccache; fi
}

tiercache_is_installed() {
  local status
  status=$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null) || return 1
  grep -qx installed <<<"$status"
}

tiercache_apt_get() {
  local as_root=()
  if ((EUID != 0)); then as_root=(sudo); fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" \
    </dev/null
}

install_packages() {
  local packages package missing=()
  packages=$(tiercache_packages "$1") || return
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "No apt-get here: not installing anything. Debian calls what is needed: $packages"
    return 0
  fi
  for package in $packages; do
    tiercache_is_installed "$package" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then return 0; fi
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    echo "These packages are missing, and only root may install them (there is no sudo here):" >&2
    echo "    apt-get install --no-upgrade --no-install-recommends ${missing[*]}" >&2
    return 1
  fi
  echo "Installing ${missing[*]}"
  tiercache_apt_get update || echo "apt-get update failed; trying with the lists as they are" >&2
  if ! tiercache_apt_get install -y --no-upgrade --no-install-recommends "${missing[@]}"; then
    echo "apt-get could not install: ${missing[*]}" >&2
    return 1
  fi
}
