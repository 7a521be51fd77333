#!/bin/sh
# A RUSTC_WRAPPER that makes symbol names independent of where sources lie: cargo derives the
# `-C metadata` of path dependencies outside the workspace, and of the standard library outside
# the toolchain, from their absolute paths. Names and versions
# say as much here, as no guest links two crates of one name and version.
set -eu
for argument; do
    shift
    case $argument in
        metadata=*) argument="metadata=$CARGO_PKG_NAME-$CARGO_PKG_VERSION-$CARGO_CRATE_NAME" ;;
    esac
    set -- "$@" "$argument"
done
exec "$@"
