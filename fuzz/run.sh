#!/bin/sh
# Runs every fuzz target, or those named, for some seconds each; fails if one crashes.
#
#     fuzz/run.sh SECONDS [TARGET...]
#
# `chains`, which takes minutes to build, runs only when it is named.
#
# Uses cargo-fuzz on the nightly toolchain if there is one, else on the stable one with
# its unstable flags unlocked; STABLE=1 asks for the latter. The machine reserves 4 TiB
# of addresses and touches little of them, so the limit is on resident memory. The
# address sanitizer finds room next to it; SANITIZER=none runs faster without.
set -eu
cd "$(dirname "$0")"
seconds=${1:?usage: run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- $(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | tail -n +2 | grep -vx chains)

if [ -z "${STABLE:-}" ] && rustc +nightly --version >/dev/null 2>&1; then
    cargo='cargo +nightly'
else
    cargo=cargo
    export RUSTC_BOOTSTRAP=1
fi
for target in "$@"; do
    # New inputs go to a folder that is not committed; the seeds are only read.
    mkdir -p "target/corpus/$target" "corpus/$target"
    case $target in
    chains) features="--features chains" timeout=600 ;;
    *) features="" timeout=20 ;;
    esac
    # shellcheck disable=SC2086  # none or two words
    $cargo fuzz run --fuzz-dir . $features --sanitizer "${SANITIZER:-address}" "$target" \
        "target/corpus/$target" "corpus/$target" -- \
        -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=$timeout -max_len=20000 \
        -print_final_stats=1
done
