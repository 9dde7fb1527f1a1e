#!/usr/bin/env bash
# See Stele on more than one machine, all on this one: builds it, starts a primary of PostgreSQL, its
# synchronous standby and three nodes, publishes without a pause, kills the node that writes, then the
# primary, and shows after each that nothing that was acked is gone.
#
#   ./run.sh [--exit|--stay]
#
#   --exit    stop at the end (the default without a terminal)
#   --stay    leave everything running until Ctrl-C (the default on a terminal)
#
# Missing packages are installed with apt-get; the PostgreSQL of the system is not touched. All files and
# sockets are in one folder under /tmp (TMPDIR), and in build/, or build-cluster/ if that has no shared log.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

set -eu -o pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../tests/setup.sh"

stay=no
[ ! -t 0 ] || [ ! -t 1 ] || stay=yes
for word in "$@"; do
    case $word in
        --exit) stay=no ;;
        --stay) stay=yes ;;
        -h|--help) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) die "unknown argument '$word'; see --help" ;;
    esac
done

can_share () { "$1/steled" --redis none --shared-log postgres: --check-config >/dev/null 2>&1; }

build=${STELE_BUILD:-$STELE_ROOT/build}
[ -n "${STELE_BUILD:-}" ] || can_share "$build" || build=$STELE_ROOT/build-cluster
if [ -z "${STELE_BUILD:-}" ]; then
    stele_packages postgresql libpq-dev
    stele_build "$build" --with-postgresql || die "the build failed: see $build/build.txt"
fi
can_share "$build" ||
    die "$build/steled cannot share a log: configure it with --with-postgresql"
programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
[ -x "$programs/initdb" ] || die "no PostgreSQL in /usr/lib/postgresql: apt-get install postgresql"

#   PostgreSQL does not run as root. Its servers end with this script, however that ends.
unprivileged=(setpriv --pdeathsig QUIT)
owner=$(id -un)
if [ "$(id -u)" = 0 ]; then
    owner=nobody
    unprivileged+=(--reuid "$(id -u nobody)" --regid "$(id -g nobody)" --clear-groups)
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/stele-cluster-XXXXXX")
chmod 711 "$folder"
acks=$folder/acks
declare -A process=()                       # Of each server, node and the client

finish () {
    local name
    trap - EXIT INT TERM
    for name in client a b c; do
        [ -z "${process[$name]:-}" ] || kill "${process[$name]}" 2>/dev/null || true
    done
    for name in client a b c; do
        [ -z "${process[$name]:-}" ] || wait "${process[$name]}" 2>/dev/null || true
    done
    for name in db1 db2; do
        [ -z "${process[$name]:-}" ] || kill -INT "${process[$name]}" 2>/dev/null || true
        [ -z "${process[$name]:-}" ] || wait "${process[$name]}" 2>/dev/null || true
    done
    rm -rf "$folder"/db1 "$folder"/db2
    say "stopped; the ledgers remain in $folder"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

title () { printf '\n== %s\n\n' "$*"; }

#   -- PostgreSQL --

pg () { (cd "$folder/${1}" && "${unprivileged[@]}" "$programs/$2" "${@:3}"); }
sql () { pg "$1" psql -XAtq -h "$folder/$1" -U postgres -d postgres -c "$2"; }

wait_for () {                               # WHAT COMMAND ...: until it succeeds
    local i
    for i in $(seq 600); do
        if "${@:2}" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    die "waited 60 s in vain for $1; see the logs in $folder"
}

server_folder () { mkdir "$folder/$1"; [ "$owner" != nobody ] || chown nobody "$folder/$1"; }

start_server () {
    (cd "$folder/$1"; exec "${unprivileged[@]}" "$programs/postgres" -D "$folder/$1/data") >>"$folder/$1.log" 2>&1 &
    process[$1]=$!
    wait_for "$1" sql "$1" 'SELECT 1'
}

#   Commits wait for a standby of the name db1 or db2, whichever this server is not
settings () {
    cat <<END
listen_addresses = ''
unix_socket_directories = '$folder/$1'
shared_buffers = 16MB
wal_init_zero = off
synchronous_standby_names = 'ANY 1 (db1, db2)'
END
}

#   SERVER PRIMARY: a copy of the primary that follows it
start_standby () {
    server_folder "$1"
    pg "$1" pg_basebackup -D "$folder/$1/data" -h "$folder/$2" -U postgres -c fast --no-sync -R
    settings "$1" >>"$folder/$1/data/postgresql.conf"
    echo "primary_conninfo = 'host=$folder/$2 user=postgres application_name=$1'" >>"$folder/$1/data/postgresql.auto.conf"
    start_server "$1"
}

is_synchronous () { sql "$1" 'SELECT sync_state FROM pg_stat_replication' | grep -q quorum; }

#   -- nodes --

start_node () {
    mkdir -p "$folder/$1"
    "$build/steled" --ledger "$folder/$1/tasks.db" --redis none --node "$1" --advertise "ipc://$folder/$1/events" \
        --advertise-requests "ipc://$folder/$1/requests" \
        --events "ipc://$folder/$1/events" --requests "ipc://$folder/$1/requests" --feed "ipc://$folder/$1/feed" \
        --shared-log "postgres:host=$folder/db1,$folder/db2 user=postgres dbname=postgres" \
        --shared-log-timeout 3000 2>>"$folder/$1.log" &
    process[$1]=$!
    "$build/stele" --requests "ipc://$folder/$1/requests" --timeout 30000 ping >/dev/null ||
        { cat "$folder/$1.log" >&2; die "node $1 did not start"; }
}

compare () {
    /usr/bin/python3 "$here/compare.py" "$acks" "$1" a="ipc://$folder/a/requests" b="ipc://$folder/b/requests" \
        c="ipc://$folder/c/requests"
}

now () { date +%s.%N; }

title "Start a primary of PostgreSQL (db1) and its synchronous standby (db2)"
server_folder db1
pg db1 initdb -D "$folder/db1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync --wal-segsize=1 >"$folder/db1.log"
settings db1 >>"$folder/db1/data/postgresql.conf"
start_server db1
start_standby db2 db1
wait_for "the synchronous standby" is_synchronous db1
sql db1 "SELECT '  commits of db1 wait for ' || application_name FROM pg_stat_replication"

title "Start three nodes with one log, each with a ledger of its own; the first one writes"
for name in a b c; do start_node "$name"; done

title "Publish without a pause: a client that knows all nodes, and goes to the one that writes"
begun=$(now)
STELE_EVENTS=ipc://$folder/a/events,ipc://$folder/b/events,ipc://$folder/c/events \
    /usr/bin/python3 "$here/publish.py" "$acks" &
process[client]=$!
wait_for "the first acks" test -s "$acks"
compare "$begun"

title "Kill the writer (kill -9 of node a): another node takes over"
{ kill -9 "${process[a]}"; wait "${process[a]}" || true; } 2>/dev/null
killed=$(now)
wait_for "another writer" grep -q 'this node leads' "$folder/b.log" "$folder/c.log"
echo "  node a is started again, and folds what it missed"
start_node a
compare "$killed"

title "Kill the primary (kill -9 of db1, all its processes), and promote the standby"
#   Stopped first, so that none of them notices the end of another
kill -STOP "${process[db1]}"
kill -9 $(cat "/proc/${process[db1]}/task/${process[db1]}/children")
{ kill -9 "${process[db1]}"; wait "${process[db1]}" || true; } 2>/dev/null
killed=$(now)
sql db2 'SELECT pg_promote ()' >/dev/null
echo "  db2 is the primary. Acks are held back until it has a standby: none is only on one machine."
echo "  db1 becomes its standby, as a new copy."
rm -rf "$folder/db1"
start_standby db1 db2
wait_for "the synchronous standby" is_synchronous db2
compare "$killed"

cat <<END

== In earnest

  - Three machines with PostgreSQL, in one region: synchronous_standby_names = 'ANY 1 (db2, db3)', so that the end of
    one standby does not hold acks back. wal_init_zero = off.
  - Let Patroni promote and rebuild: synchronous_mode: true, synchronous_mode_strict: true.
  - Each node: shared-log = "postgres:host=db1,db2,db3 dbname=stele user=stele", a name (node) and
    addresses for clients (advertise, advertise-requests).
  - What is promised, what is not, and what to do at night: doc/SCALE.md
END

if [ "$stay" = no ]; then
    exit 0
fi

cat <<END

== Now try it yourself. Everything runs until you press Ctrl-C. In another terminal:

  export PATH=$build:\$PATH
  stele --requests ipc://$folder/c/requests list           any node answers
  stele --requests ipc://$folder/c/requests nodes          which of them writes, and how far the others are
  stele --feed ipc://$folder/b/feed follow                 every event, from any node
  psql -h $folder/db2 -U postgres postgres -c 'SELECT name, writer, epoch, number, position FROM stele_heads'
  kill PID                                              stop a node: a ${process[a]}, b ${process[b]}, c ${process[c]}; if it writes, another takes over
END
wait "${process[client]}"
