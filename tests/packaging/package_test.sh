#!/usr/bin/env bash
# Builds and installs tiercache as its users do, and a project that takes it in each way.
#   package_test.sh <source directory> <scratch directory> <static|shared>
set -euo pipefail
source_dir=$1 scratch=$2 kind=$3
shared=OFF
[[ $kind == shared ]] && shared=ON
library=$scratch-library  # as far from the sources as the preset's own build
rm -rf "$scratch" "$library"
mkdir -p "$scratch"

if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$source_dir CCACHE_NOHASHDIR=1
fi
# As the preset dev compiles, so that ccache, if it is there, has the objects already.
as_dev=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_UNITY_BUILD=ON "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g" -DTIERCACHE_WARNINGS=ON -DTIERCACHE_WERROR=ON)
step() { printf '\n--- %s\n' "$*"; }
# Says which part failed; what it printed is above.
trap 'printf "FAILED at line %d\n" "$LINENO"' ERR

step "build and install ($kind)"
cmake -S "$source_dir" -B "$library" -G Ninja "${as_dev[@]}" \
  -DBUILD_SHARED_LIBS=$shared -DTIERCACHE_BUILD_TESTS=OFF -DTIERCACHE_BUILD_BENCH=OFF \
  -DTIERCACHE_BUILD_EXAMPLES=OFF >"$scratch/configure.log"
cmake --build "$library"
# Elsewhere than it was configured for, as `cmake --install --prefix` and packagers do.
cmake --install "$library" --prefix "$scratch/prefix" >/dev/null

components=sqlite
for adapter in postgres http; do
  if compgen -G "$scratch/prefix/lib*/cmake/tiercache/tiercache-$adapter.cmake" >/dev/null ||
    compgen -G "$scratch/prefix/lib/*/cmake/tiercache/tiercache-$adapter.cmake" >/dev/null; then
    components+=";$adapter"
  fi
done

run_consumer() {
  local data=$scratch/data-$1
  rm -rf "$data"
  mkdir -p "$data"
  LD_LIBRARY_PATH=$libraries "$2" "$data"
}
config=$(find "$scratch/prefix" -name tiercacheConfig.cmake)
libraries=$(dirname "$(dirname "$(dirname "$config")")")

step "find_package with $components"
cmake -S "$source_dir/tests/packaging/consumer" -B "$scratch/found" -G Ninja \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" "-DCOMPONENTS=$components" >/dev/null
cmake --build "$scratch/found"
run_consumer found "$scratch/found/consumer"

step "the guide's own CMakeLists.txt"
mkdir "$scratch/guide"
awk '/^```cmake$/ { inside = 1; next } /^```$/ { inside = 0 } inside' \
  "$source_dir/docs/packaging.md" >"$scratch/guide/CMakeLists.txt"
grep -q find_package "$scratch/guide/CMakeLists.txt"
cp "$source_dir/tests/packaging/consumer/main.cc" "$scratch/guide"
cmake -S "$scratch/guide" -B "$scratch/guide/build" -G Ninja \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" >/dev/null
cmake --build "$scratch/guide/build"
run_consumer guide "$scratch/guide/build/my_service"

# Each part by its own package alone, with --static and without, whichever kind the libraries are. With what
# README names installed there are no other packages than these to ask.
step "pkg-config"
export PKG_CONFIG_PATH=$libraries/pkgconfig
if sed -n 's/^Description: *//p' "$PKG_CONFIG_PATH"/tiercache*.pc | sort | uniq -d | grep .; then
  echo "two packages have one description"
  exit 1
fi
if grep -LE '^Description: .+' "$PKG_CONFIG_PATH"/tiercache*.pc | grep .; then
  echo "a package has no description"
  exit 1
fi
for part in tiercache tiercache-testing ${components//;/ }; do
  [[ $part == tiercache* ]] || part=tiercache-$part
  # shellcheck disable=SC2046
  ${CXX:-c++} -std=c++20 -c "$source_dir/tests/packaging/pkg_config/$part.cc" -o "$scratch/$part.o" \
    $(pkg-config --cflags "$part")
  for flags in --libs "--static --libs"; do
    # shellcheck disable=SC2046,SC2086
    ${CXX:-c++} "$scratch/$part.o" -o "$scratch/by_pkg_config" $(pkg-config $flags "$part")
    run_consumer pkg-config "$scratch/by_pkg_config"
  done
done

step "a component that is unknown, and one that was not built, fail at configure"
if cmake -S "$source_dir/tests/packaging/consumer" -B "$scratch/unknown" -G Ninja \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCOMPONENTS=nonsense >"$scratch/unknown.log" 2>&1; then
  echo "a component that does not exist was found"
  exit 1
fi
grep -q "has no component" "$scratch/unknown.log"
mv "$(dirname "$config")/tiercache-sqlite.cmake" "$scratch/set-aside"
if cmake -S "$source_dir/tests/packaging/consumer" -B "$scratch/unbuilt" -G Ninja \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" >"$scratch/unbuilt.log" 2>&1; then
  echo "the component sqlite was found without its file"
  exit 1
fi
grep -q "was built without the component" "$scratch/unbuilt.log"

if [[ $kind == static ]]; then
  step "add_subdirectory"
  # Nothing is taken from ccache, for the files of a room have other paths here; so each is one file.
  cmake -S "$source_dir/tests/packaging/consumer" -B "$scratch/part" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 "-DCMAKE_CXX_FLAGS_DEBUG=-O0" \
    -DTIERCACHE_SOURCE="$source_dir" >/dev/null
  cmake --build "$scratch/part" --target consumer
  run_consumer part "$scratch/part/consumer"

  step "an adapter without its dependency is left out with one line"
  cmake -S "$source_dir" -B "$scratch/without" -G Ninja -DTIERCACHE_BUILD_TESTS=OFF \
    -DTIERCACHE_BUILD_BENCH=OFF -DTIERCACHE_BUILD_EXAMPLES=OFF \
    -DCMAKE_DISABLE_FIND_PACKAGE_SQLite3=ON -DCMAKE_DISABLE_FIND_PACKAGE_CURL=ON \
    -DCMAKE_DISABLE_FIND_PACKAGE_PostgreSQL=ON >"$scratch/without.log"
  for adapter in sqlite http postgres; do
    [[ $(grep -c "tiercache:.*$adapter.*left out" "$scratch/without.log") == 1 ]]
  done
fi
rm -rf "$scratch" "$library"
