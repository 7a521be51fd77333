#!/usr/bin/env bash
# Builds guests of program/guests and copies them to program/elf, with their SHA256SUMS.
#   scripts/build-guests.sh [small|program]            build, check and copy
#   scripts/build-guests.sh --check [small|program]    build and compare with the committed
#                                                      SHA256SUMS; copies nothing
#   scripts/build-guests.sh --check sources            only look whether the sources are those
#                                                      that the committed files were built from
# `small` are hello and verifier, built in half a minute; `program` are the fault proof program
# and its one-block sibling, which take minutes and are committed packed. Without a word: all.
# The ELF files depend on this repository and on the compiler's release only, not on directories.
set -euo pipefail
shopt -s inherit_errexit

SMALL=(hello verifier)
PROGRAM=(fault-proof stateless)

root=$(cd "$(dirname "$0")/.." && pwd -P)
# shellcheck source=scripts/guest-toolchain.sh
source "$root/scripts/guest-toolchain.sh"
staging=$target/guest-elf
committed=$root/program/elf

usage() { die "usage: $0 [--check] [small|program], $0 --check sources"; }

# A digest of all that the guests are made of in this repository, names included; of other
# packages, the lock file has the digests.
sources() {
    (
        cd "$root"
        find program/Cargo.toml program/src program/fault-proof/Cargo.toml program/fault-proof/src \
            program/guests scripts/guest-toolchain.sh -type f -not -path '*/target/*' -print0 |
            LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
    )
}

check_sources() {
    [[ $(sources) == "$(cat "$committed/SOURCES")" ]] ||
        die "program/elf was built from other sources; run $0"
    say "built from these sources"
}

stage() {
    local guest
    rm -rf "$staging"
    mkdir -p "$staging"
    for guest in "$@"; do
        install -m 755 "$target/guests/$TARGET/release/$guest" "$staging/$guest.elf"
    done
    (cd "$staging" && sha256sum -- *.elf >SHA256SUMS && cat SHA256SUMS)
}

# The same test checks the committed files: instructions, headers, symbols, no local paths.
inspect() {
    (cd "$root" && CARRONADE_GUEST_ELF=$staging cargo test -q --locked -p carronade-program --test elf)
}

# The committed sums of these guests.
committed_sums() {
    local guest
    for guest in "$@"; do
        grep "  $guest.elf\$" "$committed/SHA256SUMS" || die "no sum of $guest is committed"
    done | sort -k 2
}

# Copies these guests, large ones packed without name and time, and renews their sums.
copy() {
    local guest others
    mkdir -p "$committed"
    touch "$committed/SHA256SUMS"
    others=$(grep -v -F -f <(awk '{ print "  " $2 }' "$staging/SHA256SUMS") "$committed/SHA256SUMS" || true)
    for guest in "$@"; do
        if [[ " ${PROGRAM[*]} " == *" $guest "* ]]; then
            gzip -9 -n -c "$staging/$guest.elf" >"$committed/$guest.elf.gz"
        else
            cp "$staging/$guest.elf" "$committed/"
        fi
    done
    { [[ -z $others ]] || echo "$others"; cat "$staging/SHA256SUMS"; } | sort -k 2 >"$committed/SUMS.new"
    mv "$committed/SUMS.new" "$committed/SHA256SUMS"
    # Only when all are built are all of these sources.
    [[ $# -lt $((${#SMALL[@]} + ${#PROGRAM[@]})) ]] || sources >"$committed/SOURCES"
    say "copied to program/elf"
}

main() {
    local check='' guests=("${SMALL[@]}" "${PROGRAM[@]}")
    if [[ ${1-} == --check ]]; then
        check=yes
        shift
    fi
    case ${1-} in
        '') ;;
        sources) [[ -n $check && $# == 1 ]] || usage; check_sources; return ;;
        small) guests=("${SMALL[@]}") ;;
        program) guests=("${PROGRAM[@]}") ;;
        *) usage ;;
    esac
    [[ $# -le 1 ]] || usage
    check_compiler
    compile "$root/program/guests" "$target/guests" "${guests[@]/#/--package=}"
    stage "${guests[@]}"
    inspect
    if [[ -z $check ]]; then
        copy "${guests[@]}"
    elif diff -u <(committed_sums "${guests[@]}") "$staging/SHA256SUMS"; then
        say "as committed"
    else
        die "not as committed"
    fi
}

main "$@"
