#!/usr/bin/env bash
# Fuzzes each target for SECONDS_EACH seconds, from the repository's own files as first inputs. What was found stays in
# fuzz/artifacts, and the run fails. Arguments: the targets, all of them by default.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${SECONDS_EACH:-60}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(definition expression script)

# libFuzzer's runtime is C++.
if ! command -v c++ > /dev/null; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -qq && $sudo apt-get install -y -qq g++
fi

# The instrumentation is the compiler's own, so the installed toolchain does.
coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters'
coverage+=' -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares'
RUSTFLAGS="--cfg fuzzing $coverage" ${CARGO:-cargo} build --release --target "$(rustc -vV | sed -n 's/^host: //p')"
built=$(${CARGO:-cargo} metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/$(rustc -vV | sed -n 's/^host: //p')/release

# First inputs: one file each, as large as a target takes.
seeds() {
    case $1 in
        definition) find ../examples ../workflows -name '*.yaml' 2> /dev/null ;;
        script) find ../examples ../workflows ../engine/script -name '*.rhai' 2> /dev/null ;;
        expression) find seeds/expression -type f ;;
    esac
}

for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    seeds "$target" | while read -r file; do cp "$file" "corpus/$target/$(echo "$file" | tr / _)"; done || true
    echo "fuzzing $target for $seconds s"
    "$built/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" -dict="dictionaries/$target.txt" \
        -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 2> "artifacts/$target.log" || {
        tail -40 "artifacts/$target.log"
        echo "$target: something was found; the input is in fuzz/artifacts/$target" >&2
        exit 1
    }
    grep -E 'stat::number_of_executed_units|stat::new_units_added' "artifacts/$target.log"
done
