#!/usr/bin/env bash
# Fuzzes each target for SECONDS_EACH seconds, from the repository's own files as first inputs. What was found stays in the target folder,
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
# A folder of its own: what is built with it is of no use to anything else.
host=$(rustc -vV | sed -n 's/^host: //p')
into=${CARGO_TARGET_DIR:-$PWD/../target}/fuzz
RUSTFLAGS="--cfg fuzzing $coverage" ${CARGO:-cargo} build --profile fuzzing --features libfuzzer --target "$host" --target-dir "$into"
built=$into/$host/fuzzing

# First inputs: one file each, as large as a target takes.
seeds() {
    case $1 in
        definition) find ../examples ../workflows -name '*.yaml' 2> /dev/null ;;
        script) find ../examples ../workflows ../engine/script -name '*.rhai' 2> /dev/null ;;
        expression) find seeds/expression -type f ;;
    esac
}

for target in "${targets[@]}"; do
    mkdir -p "$into/corpus/$target" "$into/artifacts/$target"
    seeds "$target" | while read -r file; do cp "$file" "$into/corpus/$target/$(echo "$file" | tr / _)"; done || true
    echo "fuzzing $target for $seconds s"
    "$built/$target" "$into/corpus/$target" -artifact_prefix="$into/artifacts/$target/" -dict="dictionaries/$target.txt" \
        -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 2> "$into/artifacts/$target.log" || {
        tail -40 "$into/artifacts/$target.log"
        echo "$target: something was found; the input is in $into/artifacts/$target" >&2
        exit 1
    }
    grep -E 'stat::number_of_executed_units|stat::new_units_added' "$into/artifacts/$target.log"
done
