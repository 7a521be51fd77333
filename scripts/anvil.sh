#!/usr/bin/env bash
# Makes sure that the pinned anvil is installed, and prints the path of its binary: not npm's
# wrapper, which is a process of its own that leaves the node running when it is killed.
set -euo pipefail
cd "$(dirname "$0")/../contracts"
[ -x node_modules/.bin/anvil ] || npm ci --ignore-scripts >&2
# npm installs the one package that is for this machine.
binaries=(node_modules/@foundry-rs/anvil-*/bin/anvil)
if [ ! -x "${binaries[0]}" ]; then
  echo "npm has installed no anvil for this machine" >&2
  exit 1
fi
echo "$PWD/${binaries[0]}"
