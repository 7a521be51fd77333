#!/usr/bin/env bash
# Builds guests of program/guests and copies them to program/elf, with their SHA256SUMS.
#   scripts/build-guests.sh [small|program]            build, check and copy
#   scripts/build-guests.sh --check [small|program]    build and compare with the committed
#                                                      SHA256SUMS; copies nothing
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

usage() { die "usage: $0 [--check] [small|program]"; }

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
