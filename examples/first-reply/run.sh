#!/usr/bin/env bash
# A customer writes on WhatsApp, gets an answer, chooses, and the run goes on. See README.md.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
fail() { echo "run.sh: $*" >&2; exit 1; }

command -v curl >/dev/null || fail "curl is needed: apt install curl"
onward=${ONWARD:-$(command -v onward || true)}
for built in "$repository/target/release/onward" "$repository/target/debug/onward"; do
  if [ -z "$onward" ] && [ -x "$built" ]; then onward=$built; fi
done
if [ -z "$onward" ]; then
  step "Building onward (once)"
  (cd "$repository" && cargo build --release)
  onward=$repository/target/release/onward
fi

folder=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap finish EXIT
export ONWARD_DATABASE_URL="sqlite://$folder/onward.db"
unset ONWARD_SERVER ONWARD_TOKEN ONWARD_JSON ONWARD_ORG

step "Start a server with a sandbox that plays WhatsApp"
echo '$ onward serve --demo'
mkfifo "$folder/says"
"$onward" serve --demo --listen 127.0.0.1:0 >"$folder/says" 2>"$folder/log" &
server=$!
sandbox=
while IFS= read -r line; do
  echo "  $line"
  case $line in
    *"write as a customer"*) sandbox=$(echo "$line" | awk '{ sub("/$", "", $1); print $1 }') ;;
    *"started again it goes on"*) break ;;
  esac
done <"$folder/says"
[ -n "$sandbox" ] || { cat "$folder/log" >&2; fail "the server did not start"; }

customer=919812345678
# Writes as the customer; the sandbox delivers it as WhatsApp would.
write() {
  echo "\$ curl $sandbox/sandbox/customers/$customer/messages -d '$1'"
  curl -sSf -o /dev/null "$sandbox/sandbox/customers/$customer/messages" -H 'content-type: application/json' -d "$1"
}
# Waits until the customer's phone shows this many of our messages.
wait_for_messages() {
  curl -sSf -o /dev/null "$sandbox/sandbox/customers/$customer/messages?at_least=$1" || fail "no answer came; the server says: $(cat "$folder/log")"
}
# Waits until the run is in this status.
wait_for_status() {
  for _ in $(seq 100); do
    run=$("$onward" runs list --workflow first-reply --status "$1" | awk 'NR == 2 { print $1 }')
    if [ -n "$run" ]; then return; fi
    sleep 0.1
  done
  fail "the run did not become $1"
}

step "Asha writes to the business"
write '{"name": "Asha Rao", "text": "Hi, I saw your offer"}'
wait_for_messages 1

step "What happened? The run greeted her, and waits for her answer"
wait_for_status waiting
echo "\$ onward runs show $run"
"$onward" runs show "$run"

step "Asha presses the button 'Yes please'"
write '{"button_reply": {"id": "call", "title": "Yes please"}}'
wait_for_messages 2

step "The run woke, took the branch of her choice, and ended"
wait_for_status completed
echo "\$ onward runs show $run"
"$onward" runs show "$run"

step "The same history makes the same decisions"
echo "\$ onward replay $run"
"$onward" replay "$run"

step "Done: the server stops, the folder goes"
