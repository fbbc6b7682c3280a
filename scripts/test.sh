#!/usr/bin/env bash
# Runs all tests, those of the rooms with tables once more on PostgreSQL, and ends with one line that counts them.
set -uo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ONWARD_TEST_POSTGRES=$(scripts/postgres.sh $$) || exit 1
export ONWARD_TEST_POSTGRES

${CARGO:-cargo} test --workspace --no-fail-fast 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

# The same programs, not the same packages named to cargo: that would build them again with other features.
declare -A rooms=([onward_database]=engine/database [onward_store]=engine/store [onward_accounts]=crm/accounts [onward_records]=crm/records
    [onward_messaging]=crm/messaging [onward_connectors]=connectors [onward_api]=api)
again=0
while read -r program; do
    name=$(basename "$program")
    room=${rooms[${name%-*}]:-}
    [ -n "$room" ] || continue
    again=$((again + 1))
    program=$(realpath "$program")
    echo "     On PostgreSQL: $room" | tee -a "$log"
    (cd "$room" && ONWARD_TEST_DATABASE=postgres CARGO_MANIFEST_DIR=$PWD "$program") 2>&1 | tee -a "$log"
    failed=${PIPESTATUS[0]}
    [ "$failed" = 0 ] || status=$failed
done < <(sed -n 's/^ *Running unittests src\/lib.rs (\(.*\))$/\1/p' "$log")
if [ "$status" = 0 ] && [ "$again" != "${#rooms[@]}" ]; then
    echo "only $again of ${#rooms[@]} rooms were tested on PostgreSQL"
    status=1
fi
# What is written of the binary for containers, services and clusters.
scripts/check-deploy.sh "$(realpath "${CARGO_TARGET_DIR:-target}")/debug/onward" || status=1
echo "     The web app: types, lint, Vitest, and the main job in a browser"
CARGO=${CARGO:-cargo} scripts/web.sh short || status=1
awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 } END { printf "tests: %d passed, %d failed, %d ignored\n", passed, failed, ignored }' "$log"
exit "$status"
