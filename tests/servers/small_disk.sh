#!/usr/bin/env bash
# Runs a command whose TMPDIR is a disk of its own that soon is full:
#
#     tests/servers/small_disk.sh MEBIBYTES COMMAND [ARGUMENT...]
#
# The disk is a tmpfs in a mount namespace, so nobody else sees it and it goes with the command; where
# TMPDIR was before stands in TIERCACHE_TEST_ROOMY_DISK. Without root it takes a user namespace. Exit
# status: the command's; 77 where namespaces are not permitted.
set -euo pipefail

if (($# < 2)); then
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
size=$1
shift
as_root=(unshare --mount)
as_before=()
if ((EUID != 0)); then
  as_root=(unshare --map-root-user --mount)
  as_before=(unshare --user "--map-user=$EUID" "--map-group=$(id -g)")
fi
export TIERCACHE_TEST_ROOMY_DISK=${TMPDIR:-/tmp}
# Of root's private directories the servers, which run as users of their own, could not enter the disk.
base=${TMPDIR:-/tmp}
if ((EUID == 0)); then base=/tmp; fi
folder=$(mktemp -d "$base/tiercache-disk.XXXXXX")
trap 'rmdir "$folder"' EXIT
mount_here='mount -t tmpfs -o size="$1"m,mode=1777 tiercache-disk "$2"'
if ! "${as_root[@]}" bash -c "$mount_here" mount "$size" "$folder" 2>/dev/null; then
  echo "No mount namespaces for this user here: skipped" >&2
  exit 77
fi
status=0
"${as_root[@]}" bash -c "$mount_here"' && export TMPDIR=$2 && shift 2 && exec "$@"' mount "$size" \
  "$folder" "${as_before[@]}" "$@" || status=$?
exit "$status"
