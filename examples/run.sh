#!/usr/bin/env bash
# A tour of tiercache on real documents, or the service of the tour, from nothing but a Debian with bash
# and apt.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: examples/run.sh [--documents DIR] [--store STORE]
                                               a tour of about half a minute
       examples/run.sh serve [--config FILE]   the service, until Ctrl-C
       examples/run.sh --help

Installs what is missing (apt-get, through sudo unless root), builds, runs. Writes below build/, and to
ccache's folder.

  --documents DIR   take the JSON files of this folder instead of Debian's iso-codes
  --store STORE     where the tour's store is: sqlite (the default); postgres, a private server that is
                    started for it; pgbouncer, the same through a pooler in transaction mode; or the
                    URL postgres://… of a server of yours, which gets the schema tiercache and a
                    project named tour-…, and is not stopped: those steps are left out
  --config FILE     the service's configuration; without it, examples/refresh_service/iso_codes.json,
                    with an upstream of its own on port 8081

Exit status: 0 every promise was kept (or the service was stopped), 1 not, 2 wrong usage.
TEXT
}

fail() {
  echo "examples/run.sh: $1" >&2
  exit "${2:-1}"
}

mode=tour
documents=
config=
store=sqlite
if [[ ${1:-} == serve ]]; then
  mode=serve
  shift
fi
while (($# > 0)); do
  case "$mode $1" in
    "tour --documents" | "tour --store" | "serve --config")
      (($# >= 2)) || fail "$1 needs a value" 2
      declare "${1#--}=$2"
      shift
      ;;
    *" --help")
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
if [[ -n $documents && ! -d $documents ]]; then fail "there is no folder $documents" 2; fi
if [[ -n $config && ! -r $config ]]; then fail "there is no file $config" 2; fi

case "$store" in
  sqlite | postgres | pgbouncer | postgres://* | postgresql://*) ;;
  *) fail "--store is sqlite, postgres, pgbouncer or a URL postgres://…, not that" 2 ;;
esac

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/examples/lib/install.sh"
packages=run
if [[ $store == postgres || $store == pgbouncer ]]; then packages=server; fi
install_packages "$packages" || fail "the packages that the build needs are missing"

build=$root/build/examples
mkdir -p "$build" 2>/dev/null || true
[[ -w $build ]] || fail "$build cannot be written"
use_ccache "$root/build"
echo "Building in $build (a few minutes the first time)"
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DTIERCACHE_BUILD_TESTS=OFF \
  -DTIERCACHE_BUILD_BENCH=OFF -DCMAKE_UNITY_BUILD=ON >"$build/configure.log" 2>&1 ||
  { cat "$build/configure.log" >&2 && fail "cmake could not configure the build"; }
cmake --build "$build" --target refresh_service tiercache_tour --parallel "$(nproc)" || fail "the build failed"

service=$build/examples/refresh_service/refresh_service
if [[ $mode == tour ]]; then
  rm -rf "$root/build/tour"
  arguments=(--work "$root/build/tour")
  if [[ -n $documents ]]; then arguments+=(--documents "$documents"); fi
  echo
  tour=("$build/examples/tour/tiercache_tour" "${arguments[@]}")
  case "$store" in
    sqlite) exec "${tour[@]}" ;;
    postgres* | pgbouncer)
      if [[ $store == *://* ]]; then TOUR_POSTGRES=$store exec "${tour[@]}"; fi
      export TOUR_STORE=$store
      # shellcheck disable=SC2016  # expanded by the inner shell, where the server runs
      exec "$root/tests/servers/postgres.sh" bash -c '
        export TOUR_POSTGRES=$TIERCACHE_TEST_POSTGRES
        if [[ $TOUR_STORE == pgbouncer ]]; then TOUR_POSTGRES=$TIERCACHE_TEST_PGBOUNCER; fi
        exec "$@" --postgres-control "$TIERCACHE_TEST_POSTGRES_CTL"' tour "${tour[@]}"
      ;;
  esac
fi
if [[ -n $config ]]; then exec "$service" --config "$config"; fi

cd "$root"
mkdir -p build/serve
cat <<'TEXT'

Try, in another terminal:
  curl -i http://127.0.0.1:8080/v1/currencies            # from the upstream, refreshed every 30 s
  curl -i http://127.0.0.1:8080/v1/iso/iso_3166-1        # by key, from a folder
  curl -X PUT -d '{"text":"hello"}' http://127.0.0.1:8080/v1/notes/mine
  curl -X POST 'http://127.0.0.1:8081/_fail?status=503'  # from now on the upstream fails
  curl http://127.0.0.1:8080/health; curl http://127.0.0.1:8080/stats
  curl -X POST http://127.0.0.1:8081/_heal               # and from now on it works again

TEXT
exec "$service" --config examples/refresh_service/iso_codes.json \
  --upstream-from /usr/share/iso-codes/json --upstream-port 8081
