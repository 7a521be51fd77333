#!/usr/bin/env bash
# Compiles the contracts with the pinned compiler and writes contracts/artifacts/.
# With --check, compares with the committed artifacts instead.
set -euo pipefail
cd "$(dirname "$0")/../contracts"
[ -d node_modules ] || npm ci --ignore-scripts
npx --no-install forge build --force src test/ToyVm.sol
node tools/artifacts.mjs "$@"
