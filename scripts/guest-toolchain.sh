# shellcheck shell=bash
# How guests in Rust are built: sourced by build-guests.sh and build-bench-guests.sh, which set
# `root`, the folder of the repository.

RELEASE=1.95.0
TARGET=mips64-carronade-none

target=${CARGO_TARGET_DIR:-$root/target}
cargo_home=${CARGO_HOME:-$HOME/.cargo}

say() { echo "$(basename "$0" .sh): $*" >&2; }
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

# Builds the workspace in folder $1 for the VM, with the target folder $2; what else is given
# goes to cargo.
compile() {
    local library encoded folder=$1 out=$2
    shift 2
    library=$(standard_library)
    encoded=$(flags | paste -sd $'\x1f')
    (
        cd "$folder"
        export RUSTC_BOOTSTRAP=1
        [[ $library == "$(rustc --print sysroot)"/* ]] ||
            export __CARGO_TESTS_ONLY_SRC_ROOT=$library
        cargo fetch --locked
        CARGO_ENCODED_RUSTFLAGS=$encoded RUSTC_WRAPPER=$root/scripts/rustc-stable-metadata.sh \
            cargo build --locked --release --target-dir "$out" "$@" \
            --target "$root/program/guests/$TARGET.json" \
            -Z build-std=core,alloc -Z json-target-spec
    )
}
