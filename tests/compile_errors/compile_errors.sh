#!/usr/bin/env bash
# What users get wrong does not compile, and the first error says what to do: with each compiler that is there.
# Usage: compile_errors.sh <source directory> <include directory of other libraries>...
set -euo pipefail
source=$1
shift
others=("${@/#/-idirafter}")
here="$source/tests/compile_errors"
failed=0

# The errors of a file, one a line.
errors_of() {
  "$1" -std=c++20 -fsyntax-only -Wall -Wextra -I"$source/engine/include" "${others[@]}" "$2" 2>&1 |
    grep -E '(error|warning): ' || true
}

compilers=0
seen=
for compiler in g++ g++-12 g++-13 g++-14 clang++-14 clang++-15 clang++-16 clang++-19; do
  program=$(command -v "$compiler") && program=$(readlink -f "$program") || continue
  [[ " $seen " == *" $program "* ]] && continue
  seen+=" $program"
  compilers=$((compilers + 1))
  for file in "$here"/*.cc; do
    expected=$(sed -n 's|^// expected: *||p' "$file")
    errors=$(errors_of "$compiler" "$file")
    # Clang 14 escapes the quotes of a message.
    first=$(head -1 <<<"${errors//\\\"/\"}")
    if [ -z "$expected" ]; then
      [ -z "$errors" ] && continue
    elif [ "$(wc -l <<<"$errors")" = 1 ] && grep -qF -- "$expected" <<<"$first"; then
      continue
    fi
    printf '%s with %s: expected one error with "%s", got:\n%s\n' \
      "$(basename "$file")" "$compiler" "$expected" "$errors"
    failed=1
  done
done
if [ "$compilers" = 0 ]; then
  echo "no compiler of those known is installed; skipped"
  exit 77
fi
exit "$failed"
