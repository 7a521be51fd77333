// Writes what forge built as compact artifacts, one file per contract: abi, bytecode, runtime
// bytecode, and where state variables are. With --check, compares with the files instead.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

// Everything that is deployed.
const CONTRACTS = {
  CannonVM: "src/vm/CannonVM.sol",
  AnchorStateRegistry: "src/dispute/AnchorStateRegistry.sol",
  DelayedWETH: "src/dispute/DelayedWETH.sol",
  DisputeGameFactory: "src/dispute/DisputeGameFactory.sol",
  FaultDisputeGame: "src/dispute/FaultDisputeGame.sol",
  PreimageOracle: "src/oracle/PreimageOracle.sol",
};

// What is deployed in tests only; in a folder of its own, lest it be taken for one of them.
const TEST_CONTRACTS = {
  ToyVm: "test/ToyVm.sol",
};

function artifact(name, source) {
  const file = source.split("/").at(-1);
  const built = JSON.parse(readFileSync(join(root, "out", file, `${name}.json`)));
  const storage = {};
  for (const { label, slot, offset } of built.storageLayout.storage) storage[label] = { slot: Number(slot), offset };
  const { settings, compiler } = JSON.parse(built.rawMetadata);
  return {
    contract: name,
    source,
    compiler: compiler.version,
    evmVersion: settings.evmVersion,
    optimizerRuns: settings.optimizer.runs,
    viaIR: settings.viaIR ?? false,
    abi: built.abi,
    bytecode: built.bytecode.object,
    deployedBytecode: built.deployedBytecode.object,
    storage,
  };
}

// One line per entry of the interface, so that changes can be read.
function text(value) {
  const lines = Object.entries(value).map(([key, inner]) => {
    const list = Array.isArray(inner) && inner.length > 0;
    const shown = list ? `[\n  ${inner.map((entry) => JSON.stringify(entry)).join(",\n  ")}\n ]` : JSON.stringify(inner);
    return ` ${JSON.stringify(key)}: ${shown}`;
  });
  return `{\n${lines.join(",\n")}\n}\n`;
}

const check = process.argv.includes("--check");
let count = 0;
let stale = 0;

function complain(text) {
  console.error(`artifacts/${text}`);
  stale += 1;
}

// Writes or compares the artifacts of some contracts, which are all that a folder has.
function go(contracts, folder) {
  const inside = join(root, "artifacts", folder);
  mkdirSync(inside, { recursive: true });
  const files = readdirSync(inside, { withFileTypes: true }).filter((entry) => entry.isFile());
  const unknown = new Set(files.map((entry) => entry.name));
  for (const [name, source] of Object.entries(contracts)) {
    const [path, wanted] = [join(inside, `${name}.json`), text(artifact(name, source))];
    unknown.delete(`${name}.json`);
    count += 1;
    if (!check) {
      writeFileSync(path, wanted);
    } else if (!existsSync(path) || readFileSync(path, "utf8") !== wanted) {
      complain(`${join(folder, name)}.json is not what its source compiles to`);
    }
  }
  for (const name of unknown) complain(`${join(folder, name)} belongs to no contract`);
}

go(CONTRACTS, "");
go(TEST_CONTRACTS, "test");
if (stale === 0) console.log(`${count} artifacts ${check ? "compared" : "written"}`);
process.exit(stale === 0 ? 0 : 1);
