#!/usr/bin/env bash
# Builds the guests of program/guests and copies them to program/elf, with their SHA256SUMS.
#   scripts/build-guests.sh            build, check and copy
#   scripts/build-guests.sh --check    build and compare with the committed SHA256SUMS; copies nothing
# The ELF files depend on this repository and on the compiler's release only, not on directories.
set -euo pipefail
shopt -s inherit_errexit

GUESTS=(hello verifier fault-proof stateless)

root=$(cd "$(dirname "$0")/.." && pwd -P)
# shellcheck source=scripts/guest-toolchain.sh
source "$root/scripts/guest-toolchain.sh"
staging=$target/guest-elf

stage() {
    local guest
    rm -rf "$staging"
    mkdir -p "$staging"
    for guest in "${GUESTS[@]}"; do
        install -m 755 "$target/guests/$TARGET/release/$guest" "$staging/$guest.elf"
    done
    (cd "$staging" && sha256sum -- *.elf >SHA256SUMS && cat SHA256SUMS)
}

# The same test checks the committed files: instructions, headers, symbols, no local paths.
inspect() {
    (cd "$root" && CARRONADE_GUEST_ELF=$staging cargo test -q --locked -p carronade-program --test elf)
}

main() {
    [[ $# == 0 || $* == --check ]] || die "usage: $0 [--check]"
    check_compiler
    compile "$root/program/guests" "$target/guests"
    stage
    inspect
    if [[ $# == 0 ]]; then
        mkdir -p "$root/program/elf"
        cp "$staging"/* "$root/program/elf/"
        say "copied to program/elf"
    elif diff -u "$root/program/elf/SHA256SUMS" "$staging/SHA256SUMS"; then
        say "as committed"
    else
        die "not as committed"
    fi
}

main "$@"
