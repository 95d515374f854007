#!/usr/bin/env bash
# Fails where a source file is not formatted by .clang-format. Usage: format.sh <source directory>
# Other versions of clang-format than 14 lay some things out differently, so only 14 is asked.
set -euo pipefail
cd "$1"
if command -v clang-format-14 >/dev/null; then
  format=clang-format-14
elif clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
  format=clang-format
else
  echo "clang-format 14 is not installed (Debian: clang-format-14); skipped"
  exit 77
fi
roots=()
for root in engine adapters tests bench examples; do
  if [ -d "$root" ]; then roots+=("$root"); fi
done
if ! find "${roots[@]}" -type f \( -name '*.h' -o -name '*.cc' \) -print0 |
    xargs -0 "$format" --dry-run -Werror; then
  echo "To mend: $format -i <file>"
  exit 1
fi
