#!/usr/bin/env bash
# Runs a command in a network of its own in which 127.0.0.1 is the one name server. There is none: the
# command may be it, or leave every question unanswered.
#
#     tests/servers/own_resolver.sh COMMAND [ARGUMENT...]
#
# The network has a loopback interface alone, and that is down; servers outside are reached by unix sockets.
# Exit status: the command's; 77 where namespaces are not permitted.
set -euo pipefail

if (($# == 0)); then
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/tiercache-resolver.XXXXXX")
trap 'rm -rf "$folder"' EXIT
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:5\n' >"$folder/resolv.conf"
printf 'hosts: files dns\n' >"$folder/nsswitch.conf"
mount_here='mount --bind "$1/resolv.conf" /etc/resolv.conf &&
  mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf'
if ! unshare --map-root-user --mount --net bash -c "$mount_here" mount "$folder" 2>/dev/null; then
  echo "No namespaces for this user here: skipped" >&2
  exit 77
fi
status=0
unshare --map-root-user --mount --net bash -c "$mount_here"' && shift && exec "$@"' mount "$folder" \
  "$@" || status=$?
exit "$status"
