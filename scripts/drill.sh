#!/usr/bin/env bash
# A fire drill: a server with many sleeping runs is backed up under load, then killed and its data destroyed; the backup is restored,
# and the seconds are counted until the server takes work in again and a waiting run has gone on to its end. It fails when anything of
# the backup is missing, or stands still.
#
#   scripts/drill.sh [--postgres] [RUNS]        100,000 sleeping runs unless told otherwise; with --postgres on a throwaway PostgreSQL
#
# ONWARD names the binary (target/release/onward). It wants curl and jq. Everything is made in a folder of its own in TMPDIR, and removed.
set -euo pipefail
cd "$(dirname "$0")/.."
postgres=
[ "${1:-}" != --postgres ] || { postgres=yes; shift; }
runs=${1:-100000}
onward=$(realpath "${ONWARD:-${CARGO_TARGET_DIR:-target}/release/onward}")
root=$PWD
folder=$(mktemp -d)
server=
load=
trap 'kill $load 2>/dev/null || true; kill -9 $server 2>/dev/null || true; rm -rf "$folder"' EXIT
for name in $(compgen -v ONWARD_); do unset "$name"; done
export ONWARD_LOG=warn

say() { printf '%s\n' "$*" >&2; }
now() { date +%s%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.2f", (to - from) / 1e9 }'; }
figure() { printf '%-46s %s\n' "$1" "$2"; }

mkdir "$folder/data" "$folder/backup"
cd "$folder/data"
if [ "$postgres" ]; then
    url=$("$root/scripts/postgres.sh" $$ durable)
    psql=(psql --quiet --tuples-only --no-align --dbname "$url")
    "${psql[@]}" --command "CREATE DATABASE drill ENCODING 'UTF8' TEMPLATE template0"
    ONWARD_DATABASE_URL=${url%/*}/drill
    ONWARD_SECRET_KEY=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
    export ONWARD_SECRET_KEY
else
    ONWARD_DATABASE_URL=sqlite://$folder/data/onward.db
fi
export ONWARD_DATABASE_URL

# Serves, and waits until it takes work in.
address=
serve() {
    rm -f "$folder/said"
    (exec "$onward" serve --listen "${address:-127.0.0.1:0}" --json >"$folder/said" 2>>"$folder/log") &
    server=$!
    until address=$(jq -r '.url | ltrimstr("http://")' "$folder/said" 2>/dev/null) && [ "$address" ]; do alive; sleep 0.01; done
    until curl -sf "http://$address/readyz" >/dev/null; do alive; sleep 0.01; done
}
alive() { kill -0 "$server" 2>/dev/null || { say "the server ended:"; cat "$folder/log" >&2; exit 1; }; }
api() { curl -sSf -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$@"; }
# So many events from this number on, of this type.
events() {
    seq "$2" "$(($2 + $3 - 1))" | jq -c -n --arg type "$1" '[inputs | { type: $type, source: "drill", id: "\($type) \(.)", data: { number: . } }]' |
        api --data-binary @- "http://$address/api/v1/events" >/dev/null
}
count() { api "http://$address/api/v1/workflows/$1/stats" | jq '[.runs[]] | add // 0'; }

say "filling: $runs sleeping runs, 100 that wait for an event …"
serve
token=$("$onward" token add drill)
cat >"$folder/asleep.yaml" <<'YAML'
name: asleep
on: [{ event: drill.asleep }]
steps: [{ delay: 30d }]
YAML
cat >"$folder/waiting.yaml" <<'YAML'
name: waiting
on: [{ event: drill.waiting }]
key: "{{ event.data.number }}"
steps:
  - id: before
    do: debug.echo
    with: { number: "{{ event.data.number }}" }
  - wait_for: { event: drill.go, match: { number: "{{ event.data.number }}" } }
  - stop: { output: { before: "{{ steps.before.number }}" } }
YAML
cat >"$folder/load.yaml" <<'YAML'
name: load
on: [{ event: drill.load }]
steps:
  - do: debug.echo
    with: { number: "{{ event.data.number }}" }
  - delay: 1s
YAML
"$onward" publish "$folder/asleep.yaml" "$folder/waiting.yaml" "$folder/load.yaml" >/dev/null
for from in $(seq 1 1000 "$runs"); do
    events drill.asleep "$from" "$((runs - from + 1 < 1000 ? runs - from + 1 : 1000))"
done
events drill.waiting 1 100

# Load until the end comes: each line is a piece of 50 events that was acknowledged.
: >"$folder/acknowledged"
(from=1; while events drill.load "$from" 50 2>/dev/null; do from=$((from + 50)); echo "$from"; done >"$folder/acknowledged") &
load=$!
until [ "$(wc -l <"$folder/acknowledged")" -ge 20 ]; do alive; sleep 0.1; done

say "backing up under load …"
before=$(wc -l <"$folder/acknowledged")
begun=$(now)
if [ "$postgres" ]; then
    pg_dump --format=custom --compress=1 --dbname "$ONWARD_DATABASE_URL" --file "$folder/backup/onward.dump"
else
    "$onward" backup "$folder/backup/onward.db" >/dev/null
    # Kept apart in earnest: whoever has both can open the stored secrets.
    cp onward.db.key "$folder/backup/"
fi
backup=$(since "$begun")
after=$(wc -l <"$folder/acknowledged")
sleep 1

say "everything is lost …"
kill -9 "$server"
{ wait "$server" || true; wait "$load" || true; } 2>/dev/null
if [ "$postgres" ]; then
    until "${psql[@]}" --command "DROP DATABASE drill" 2>/dev/null; do sleep 0.05; done
else
    cd "$folder" && rm -rf data
fi

gone=$(now)
if [ "$postgres" ]; then
    "${psql[@]}" --command "CREATE DATABASE drill ENCODING 'UTF8' TEMPLATE template0"
    pg_restore --exit-on-error --jobs=2 --dbname "$ONWARD_DATABASE_URL" "$folder/backup/onward.dump"
    # What `onward restore` does by itself.
    "$onward" pause --everything --reason "restored" >/dev/null
else
    mkdir data && cd data
    cp "$folder/backup/onward.db.key" .
    "$onward" restore "$folder/backup/onward.db" >/dev/null
fi
restored=$(since "$gone")
serve
ready=$(since "$gone")
[ "$(curl -sf "http://$address/readyz" | jq .paused)" = true ] || { say "nothing is paused after the restore"; exit 1; }
"$onward" resume --everything >/dev/null 2>"$folder/due"
events drill.go 7 1
until [ "$(api "http://$address/api/v1/runs?workflow=waiting&key=7" | jq -r '.items[0].status')" = completed ]; do alive; sleep 0.01; done
went_on=$(since "$gone")

[ "$(api "http://$address/api/v1/runs?workflow=waiting&key=7" | jq '.items[0].output.before')" = 7 ] || { say "the run forgot what it knew"; exit 1; }
asleep=$(count asleep)
[ "$asleep" = "$runs" ] || { say "$asleep of $runs sleeping runs are there"; exit 1; }
loaded=$(count load)
[ "$loaded" -ge $((before * 50)) ] || { say "$loaded runs of the load are there; $((before * 50)) were acknowledged before the backup began"; exit 1; }

# What was under way when the backup was made ends, too.
deadline=$((SECONDS + 60))
until [ "$(api "http://$address/api/v1/workflows/load/stats" | jq .runs.completed)" = "$loaded" ]; do
    alive
    [ "$SECONDS" -lt "$deadline" ] || { say "runs that were under way stand still: $(api "http://$address/api/v1/workflows/load/stats" | jq -c .runs)"; exit 1; }
    sleep 0.1
done

figure "sleeping runs" "$asleep"
figure "backup under load (seconds, MB)" "$backup, $(du -m "$folder/backup" | cut -f 1)"
figure "  events acknowledged meanwhile" "$(((after - before) * 50))"
figure "gone -> restored (seconds)" "$restored"
figure "gone -> /readyz answers 200" "$ready"
figure "gone -> a waiting run has gone on to its end" "$went_on"
figure "said by onward resume" "$(cat "$folder/due")"
kill "$server"
wait "$server"
server=
