#!/usr/bin/env bash
# Starts a throwaway PostgreSQL for tests and benches on a free port, and prints its URL. It ends, and its files are removed,
# when the process whose id is given ends. PostgreSQL is installed through apt when it is missing.
#
#   scripts/postgres.sh PID [durable]
#   scripts/postgres.sh crash PORT       kills it with -9, and starts it again
#
# Without `durable` it does not sync: tests that kill only our own processes are quicker so, and lose nothing. With `durable` it
# does, and the settings are what docs/manual says of a small machine.
set -euo pipefail
watched=${1:?the process to live as long as, or crash}
durability=${2:-}

newest() { find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1; }

bin=$(newest)
if [ -z "$bin" ] || [ ! -x "$bin/initdb" ]; then
    echo "installing PostgreSQL for the tests …" >&2
    as_root=; [ "$(id -u)" = 0 ] || as_root=sudo
    export DEBIAN_FRONTEND=noninteractive
    # No cluster of the package's own is wanted.
    $as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.d/onward.conf >/dev/null
    { $as_root apt-get update -q && $as_root apt-get install -q -y --no-install-recommends postgresql; } >&2
    bin=$(newest)
fi

# PostgreSQL refuses to run as root.
run=()
[ "$(id -u)" != 0 ] || run=(setpriv --reuid=postgres --regid=postgres --init-groups)

# Waits until it answers. A server that was killed may leave its port and its shared memory for a moment.
start() {
    "${run[@]}" "$bin/pg_ctl" --pgdata="$1/data" --silent --wait --log="$1/server.log" --options="-p $2" start >&2
}

if [ "$watched" = crash ]; then
    port=${2:?its port}
    for file in "${TMPDIR:-/tmp}"/onward-postgres-*/data/postmaster.pid /dev/shm/onward-postgres-*/data/postmaster.pid; do
        [ -e "$file" ] && [ "$(sed -n 4p "$file")" = "$port" ] || continue
        folder=$(dirname "$(dirname "$file")")
        mapfile -t all < <(server=$(sed -n 1p "$file"); echo "$server"; pgrep -P "$server")
        kill -9 "${all[@]}" 2>/dev/null || true
        for one in "${all[@]}"; do tail --pid="$one" -s 0.05 -f /dev/null; done
        rm -f "$file"
        start "$folder" "$port"
        exit
    done
    echo "no server of ours listens on $port" >&2
    exit 1
fi

base=${TMPDIR:-/tmp}
# Each test makes and drops a database of some hundred files: in memory that is quicker, where there is room.
if [ "$durability" != durable ] && [ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -gt 2000000 ]; then
    base=/dev/shm
fi
folder=$(mktemp -d "$base/onward-postgres-XXXXXX")
[ "$(id -u)" != 0 ] || chown postgres "$folder"
cd "$folder"
"${run[@]}" "$bin/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; exit 1; }
{
    echo "listen_addresses = '127.0.0.1'"
    echo "unix_socket_directories = '$folder'"
    echo "max_connections = 200"
    echo "shared_buffers = 128MB"
    echo "logging_collector = off"
    [ "$durability" = durable ] || printf 'fsync = off\nfull_page_writes = off\nmax_wal_size = 4GB\n'
} >>"$folder/data/postgresql.conf"

for attempt in $(seq 20); do
    port=$((20000 + RANDOM % 20000))
    if start "$folder" "$port"; then break; fi
    # Somebody else has the port.
    [ "$attempt" -lt 20 ] || { cat "$folder/server.log" >&2; exit 1; }
done

# Ends with the process that it was started for.
(
    trap '' HUP INT TERM
    tail --pid="$watched" -f /dev/null
    "${run[@]}" "$bin/pg_ctl" --pgdata="$folder/data" --mode=immediate --silent stop
    rm -rf "$folder"
) </dev/null >/dev/null 2>&1 &
disown

echo "postgres://postgres@127.0.0.1:$port/postgres"
