#!/usr/bin/env bash
# Builds the guests of program/guests and copies them to program/elf, with their SHA256SUMS.
#   scripts/build-guests.sh            build, check and copy
#   scripts/build-guests.sh --check    build and compare with the committed SHA256SUMS; copies nothing
# The ELF files depend on this repository and on the compiler's release only, not on directories.
set -euo pipefail
shopt -s inherit_errexit

RELEASE=1.95.0
GUESTS=(hello verifier)
TARGET=mips64-carronade-none

root=$(cd "$(dirname "$0")/.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}
staging=$target/guest-elf
cargo_home=${CARGO_HOME:-$HOME/.cargo}

say() { echo "build-guests: $*" >&2; }
die() { say "$*"; exit 1; }

check_compiler() {
    local found
    found=$(rustc --version) || die "no rustc; install Rust $RELEASE"
    [[ $found == "rustc $RELEASE "* ]] ||
        die "the ELF files are reproducible with Rust $RELEASE only, and this is $found;" \
            "with rustup: RUSTUP_TOOLCHAIN=$RELEASE $0"
}

# Prints the folder of the standard library's sources, wherever they can be had.
standard_library() {
    local library
    library=$(rustc --print sysroot)/lib/rustlib/src/rust/library
    if [[ ! -e $library/core ]] && command -v rustup >/dev/null; then
        say "installing rust-src with rustup"
        timeout 600 rustup component add rust-src >&2 || say "rustup has no rust-src to offer"
    fi
    if [[ ! -e $library/core ]]; then
        library=${XDG_CACHE_HOME:-$root/target}/carronade-rust-src/$RELEASE/library
        [[ -e $library/core ]] || debian_library "$library" >&2
    fi
    echo "$library"
}

# Unpacks Debian's rust-src of the same release to $1. The machine's own package sources lend
# only their mirror; nothing is installed, and no root is needed.
debian_library() {
    command -v apt-get >/dev/null || die "no rust-src: needs rustup or apt"
    local work mirror version options
    work=$(mktemp -d)
    # shellcheck disable=SC2064  # the name as it is now
    trap "rm -rf '$work'" EXIT
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
        grep -E '/debian/?$' | head -n 1) || die "no Debian mirror among apt's sources"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    printf 'deb %s %s main\n' "$mirror" trixie-backports "$mirror" sid >"$work/sources.list"
    options=(-q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache"
        -o "APT::Sandbox::User=$(id -un)")
    say "fetching Debian's rust-src"
    apt-get "${options[@]}" update
    version=$(apt-cache "${options[@]}" madison rust-src |
        awk -v release="$RELEASE" '$3 ~ "^" release "[+]" { print $3; exit }')
    [[ -n $version ]] || die "Debian has no rust-src $RELEASE any more; use rustup"
    (cd "$work" && apt-get "${options[@]}" download "rust-src=$version")
    dpkg -x "$work"/rust-src_*.deb "$work/unpacked"
    mkdir -p "$(dirname "$1")"
    mv "$work/unpacked/usr/src/rustc-$RELEASE/library" "$1"
}

# Compiler flags, one a line. The VM itself faults at a division by zero and has no trap
# instructions. Unrolled further than by default, keccak256 takes two fifths fewer steps.
flags() {
    local sources
    printf '%s\n' -Clink-arg=-e_start -Csymbol-mangling-version=v0 \
        -Cllvm-args=-mno-check-zero-division -Cllvm-args=-unroll-threshold=1000 \
        "--remap-path-prefix=$root/=" "--remap-path-prefix=$library=/rust/library"
    for sources in "$cargo_home"/registry/src/*/; do
        echo "--remap-path-prefix=$sources=/cargo/"
    done
}

build() {
    cd "$root/program/guests"
    export RUSTC_BOOTSTRAP=1
    [[ $library == "$(rustc --print sysroot)"/* ]] ||
        export __CARGO_TESTS_ONLY_SRC_ROOT=$library
    cargo fetch --locked
    local encoded
    encoded=$(flags | paste -sd $'\x1f')
    CARGO_ENCODED_RUSTFLAGS=$encoded RUSTC_WRAPPER=$root/scripts/rustc-stable-metadata.sh \
        cargo build --locked --release --target "$PWD/$TARGET.json" --target-dir "$target/guests" \
        -Z build-std=core,alloc -Z json-target-spec
    cd "$root"
}

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
    library=$(standard_library)
    build
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
