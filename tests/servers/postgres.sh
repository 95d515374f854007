#!/usr/bin/env bash
# Runs a command beside a private PostgreSQL (and pgbouncer, in transaction mode) on loopback:
#
#     tests/servers/postgres.sh [--supabase | --pair | --standby sync|async] COMMAND [ARGUMENT...]
#
# Everything lives in a temporary folder, and both servers end with it when the command ends, or when this
# script is killed, however. As root they run as the user "postgres". With --supabase the cluster has
# Supabase's roles, and "postgres" is no superuser in it. With --standby a second server follows the first,
# asynchronously, as a hot standby. The command finds in its environment:
#
#     TIERCACHE_TEST_POSTGRES        URL of an ordinary role that owns its database
#     TIERCACHE_TEST_POSTGRES_ADMIN  URL of a superuser
#     TIERCACHE_TEST_PGBOUNCER       like the first, through pgbouncer; empty where there is none
#     TIERCACHE_TEST_POSTGRES_PID    file whose first line is the server's process
#     TIERCACHE_TEST_POSTGRES_CTL    command that takes start, stop, restart or kill
#     TIERCACHE_TEST_STANDBY         with --pair: like the first, of the standby
#     TIERCACHE_TEST_STANDBY_CTL     with --pair: like the one above, and takes promote
#     TIERCACHE_TEST_FAILOVER        with --standby: command that takes fail (the primary dies, the standby is
#                                    promoted) and rebuild (the dead one comes back as its standby); else empty
#
# With --standby a second server follows the first by streaming replication: sync confirms nothing that the
# standby does not have; async may, and what is written while the standby hears nothing is lost when it
# takes over. The URLs name both and pick the primary, and the process and the command above are the primary's.
# With --pair it follows as well, and each server has a URL and a command of its own.
#
# On a small disk (small_disk.sh) the server's write-ahead log is kept off it: a server whose log finds
# its disk full ends itself and every connection.
#
# When the command fails, the server's own troubles are printed. Exit status: the command's; 77 when there
# is no PostgreSQL here.
set -euo pipefail

supabase=no
pair=no
standby=
case ${1:-} in
  --supabase) supabase=yes && shift ;;
  --pair) pair=yes && shift ;;
  --standby)
    [[ ${2:-} =~ ^a?sync$ ]] || set --
    standby=${2:-}
    shift $(($# < 2 ? $# : 2))
    ;;
esac
if (($# == 0)); then
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
fi

bindir=$(find /usr/lib/postgresql /usr/local/pgsql -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -1 || true)
if [[ -n $bindir ]]; then bindir=${bindir%/initdb}; else bindir=$(pg_config --bindir 2>/dev/null || true); fi
if [[ ! -x $bindir/initdb ]]; then
  echo "There is no PostgreSQL server here (Debian: postgresql): skipped" >&2
  exit 77
fi

# The keeper holds the folder's fate: it waits until nobody has the pipe open for writing any more, which
# is when this script is gone, then ends the servers. In a session of its own, so that what kills the
# script's group does not reach it.
# As root the server runs as a user of its own, who cannot enter what is private to root.
folder_in() {
  local base=$1
  if ((EUID == 0)) && ! runuser -u postgres -- test -x "$base"; then
    # What fills the small disk would fill the machine's.
    if [[ $base != "${TIERCACHE_TEST_ROOMY_DISK:-$base}" ]]; then
      echo "The user postgres cannot enter $base" >&2
      exit 1
    fi
    base=/tmp
  fi
  mktemp -d "$base/tiercache-postgres.XXXXXX"
}
folder=$(folder_in "${TMPDIR:-/tmp}")
wal=
if [[ -n ${TIERCACHE_TEST_ROOMY_DISK:-} ]]; then wal=$(folder_in "$TIERCACHE_TEST_ROOMY_DISK"); fi
mkfifo "$folder/alive"
setsid bash -c '
  folder=$1
  wal=$2
  exec 3<"$folder/alive"
  read -r -u 3 _ || true
  end() {
    [[ -s $1 ]] || return 0
    process=$(head -1 "$1")
    kill -CONT "$process" 2>/dev/null || true
    kill -"$2" "$process" 2>/dev/null || true
    tail --pid="$process" -f /dev/null
  }
  end "$folder/pgbouncer.pid" INT
  end "$folder/standby/postmaster.pid" QUIT
  end "$folder/data/postmaster.pid" QUIT
  end "$folder/data2/postmaster.pid" QUIT
  rm -rf "$folder" ${wal:+"$wal"}
' keeper "$folder" "$wal" >/dev/null 2>&1 &
keeper=$!
exec {alive}>"$folder/alive"
finish() {
  local status=$?
  exec {alive}>&-
  wait "$keeper" || true
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

as_server=()
if ((EUID == 0)); then
  chown postgres "$folder" ${wal:+"$wal"}
  as_server=(runuser -u postgres --)
fi
server() { (cd "$folder" && exec {alive}>&- && exec "${as_server[@]}" "$@"); }

secret=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
random_port() { echo $((20000 + RANDOM % 12000)); }

admin=tiercache_admin
if [[ $supabase == yes ]]; then admin=supabase_admin; fi
server "$bindir/initdb" -D "$folder/data" -U "$admin" --auth-local=trust --auth-host=scram-sha-256 \
  --encoding=UTF8 --locale=C.UTF-8 --no-sync ${wal:+--waldir="$wal"} >"$folder/initdb.log" 2>&1 || {
  cat "$folder/initdb.log" >&2
  exit 1
}
server tee -a "$folder/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 32MB
max_connections = 60
max_prepared_transactions = 5
jit = off
autovacuum = off
${standby:+wal_receiver_status_interval = 1
wal_retrieve_retry_interval = 200ms}
CONF

write_ctl() {
  cat >"$1" <<CTL
#!/usr/bin/env bash
cd "$folder"
data=$2
mode="-m fast"
verb=\$1
if [[ \$verb == kill ]]; then mode="-m immediate" verb=stop; fi
if [[ \$verb == promote ]]; then mode=; fi
exec ${as_server[*]} "$bindir/pg_ctl" -D "\$data" -l "$folder/server.log" -w \$mode "\$verb" \
  >>"$folder/ctl.log" 2>&1
CTL
  chmod 755 "$1"
  if ((EUID == 0)); then chown postgres "$1"; fi
}
ctl=$folder/ctl
ln -s "$folder/data" "$folder/primary"
write_ctl "$ctl" "\$(readlink '$folder/primary')"
chmod 755 "$folder"

# On the first free port that is found.
start_server() {
  local _
  for _ in {1..20}; do
    port=$(random_port)
    server sed -i '/^port = /d' "$folder/$1/postgresql.conf"
    server tee -a "$folder/$1/postgresql.conf" >/dev/null <<<"port = $port"
    if server "$bindir/pg_ctl" -D "$folder/$1" -l "$folder/server.log" -w start >>"$folder/ctl.log" 2>&1; then
      return
    fi
  done
  cat "$folder/server.log" >&2
  exit 1
}
start_server data

admin_sql() {
  psql -X -q -v ON_ERROR_STOP=1 -h "$folder" -p "$port" -U "$admin" -d "${1}" -f - </dev/stdin
}
role=app
if [[ $supabase == yes ]]; then
  role=postgres
  admin_sql postgres <<SQL
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
create role postgres nosuperuser createdb createrole login replication bypassrls password '$secret';
grant anon, authenticated, service_role, pg_read_all_data, pg_signal_backend, pg_monitor to postgres;
SQL
else
  admin_sql postgres <<<"create role app nosuperuser login password '$secret';"
fi
admin_sql postgres <<SQL
alter role $admin password '$secret';
create database tiercache owner $role;
SQL

export TIERCACHE_TEST_POSTGRES="postgres://$role:$secret@127.0.0.1:$port/tiercache"
export TIERCACHE_TEST_POSTGRES_ADMIN="postgres://$admin:$secret@127.0.0.1:$port/tiercache"
export TIERCACHE_TEST_POSTGRES_PID="$folder/primary/postmaster.pid"
export TIERCACHE_TEST_POSTGRES_CTL="$ctl"
export TIERCACHE_TEST_PGBOUNCER=
export TIERCACHE_TEST_FAILOVER=

start_standby() {
  export TIERCACHE_TEST_FAILOVER="$folder/failover"
  local second=$((port + 1)) both="127.0.0.1:$port,127.0.0.1:$((port + 1))"
  cat >"$folder/failover" <<SH
#!/usr/bin/env bash
# fail: the primary dies, the standby is promoted. rebuild: the dead one comes back as its standby.
set -euo pipefail
exec >>"$folder/ctl.log" 2>&1
cd "$folder"
server() { ${as_server[*]} "\$@"; }
old=\$(readlink primary)
new=$folder/data2
[[ \$old != \$new ]] || new=$folder/data
port_of() { if [[ \$1 == "$folder/data" ]]; then echo $port; else echo $second; fi; }
ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$folder" -p "\$(port_of "\$1")" -U $admin -d postgres -c "\$2"; }
# Waits until the server of \$1 says "t".
comes() { for _ in {1..1500}; do [[ \$(ask "\$1" "\$2") != t ]] || return 0; read -rt 0.02 <> <(:) || :; done; return 1; }
follow() {
  rm -rf "\$new"
  server "$bindir/pg_basebackup" -D "\$new" -h "$folder" -p "\$(port_of "\$old")" -U $admin -R -X stream -c fast
  server sed -i -e "s/^port = .*/port = \$(port_of "\$new")/" "\$new/postgresql.conf"
  server "$bindir/pg_ctl" -D "\$new" -l server.log -w start
  if [[ $standby == sync ]]; then
    ask "\$old" "alter system set synchronous_standby_names = '*'"
    ask "\$old" "select pg_reload_conf()"
    comes "\$old" "select bool_or(sync_state = 'sync') from pg_stat_replication"
  fi
  comes "\$old" "select bool_or(replay_lsn >= pg_current_wal_lsn()) or count(*) > 0 from pg_stat_replication where state = 'streaming'"
}
case \$1 in
  rebuild) follow ;;
  fail)
    if [[ $standby == async ]]; then  # it hears nothing more, and the primary goes on
      ask "\$new" "alter system set primary_conninfo = 'host=/nowhere'"
      ask "\$new" "select pg_reload_conf()"
      comes "\$new" "select count(*) = 0 from pg_stat_wal_receiver where status = 'streaming'"
      read -rt 0.5 <> <(:) || :
    fi
    process=\$(head -1 "\$old/postmaster.pid")
    kill -QUIT "\$process"
    tail --pid="\$process" -f /dev/null
    server "$bindir/pg_ctl" -D "\$new" -l server.log -w promote
    ask "\$new" "alter system reset synchronous_standby_names"
    ask "\$new" "select pg_reload_conf()"
    ln -sfn "\$new" primary
    ;;
esac
SH
  chmod 755 "$folder/failover"
  # What a promoted server has confirmed it must not lose by itself.
  admin_sql postgres <<<"alter system set synchronous_commit = on; select pg_reload_conf();" >/dev/null
  "$folder/failover" rebuild {alive}>&- || {
    cat "$folder/ctl.log" >&2
    return 1
  }
  TIERCACHE_TEST_POSTGRES="postgres://$role:$secret@$both/tiercache?target_session_attrs=read-write"
  TIERCACHE_TEST_POSTGRES_ADMIN="postgres://$admin:$secret@$both/tiercache?target_session_attrs=read-write"
}

if [[ $pair == yes ]]; then
  first=$port
  server "$bindir/pg_basebackup" -h "$folder" -p "$first" -U "$admin" -D "$folder/standby" -R -X stream \
    --checkpoint=fast --no-sync
  start_server standby
  write_ctl "$folder/standby_ctl" "$folder/standby"
  export TIERCACHE_TEST_STANDBY="postgres://$role:$secret@127.0.0.1:$port/tiercache"
  export TIERCACHE_TEST_STANDBY_CTL="$folder/standby_ctl"
  port=$first
fi

start_pgbouncer() {
  local bouncer_port
  server tee "$folder/users.txt" >/dev/null <<<"\"$role\" \"$secret\""
  for _ in {1..20}; do
    bouncer_port=$(random_port)
    server tee "$folder/pgbouncer.ini" >/dev/null <<INI
[databases]
* = host=127.0.0.1 port=$port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $bouncer_port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/users.txt
pool_mode = transaction
default_pool_size = 2
server_login_retry = 1
max_client_conn = 200
logfile = $folder/pgbouncer.log
pidfile = $folder/pgbouncer.pid
INI
    if server "$1" -q -d "$folder/pgbouncer.ini" >/dev/null 2>&1; then
      # What ends it reads the file, and it may not be there yet.
      for _ in {1..1000}; do
        if server test -s "$folder/pgbouncer.pid"; then break; fi
      done
      export TIERCACHE_TEST_PGBOUNCER="postgres://$role:$secret@127.0.0.1:$bouncer_port/tiercache"
      return
    fi
  done
  cat "$folder/pgbouncer.log" >&2
  return 1
}
pgbouncer=$(PATH=$PATH:/usr/sbin command -v pgbouncer || true)
if [[ -n $standby ]]; then
  start_standby
elif [[ -n $pgbouncer && $supabase == no ]]; then
  start_pgbouncer "$pgbouncer"
fi

status=0
"$@" {alive}>&- || status=$?
if ((status != 0 && status != 77)); then
  echo "What the server noted of its own troubles:" >&2
  grep -E 'PANIC|FATAL|LOG: .*(terminat|crash|signal|recovery|shut)' "$folder/server.log" | tail -20 >&2 || true
fi
exit "$status"
