// Writes what forge built as compact artifacts, one file per contract: abi, bytecode, runtime
// bytecode, and where state variables are. With --check, compares with the files instead.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "artifacts");

// Everything that is deployed.
const CONTRACTS = {
  CannonVM: "src/vm/CannonVM.sol",
  AnchorStateRegistry: "src/dispute/AnchorStateRegistry.sol",
  DelayedWETH: "src/dispute/DelayedWETH.sol",
  DisputeGameFactory: "src/dispute/DisputeGameFactory.sol",
  FaultDisputeGame: "src/dispute/FaultDisputeGame.sol",
  PreimageOracle: "src/oracle/PreimageOracle.sol",
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
mkdirSync(folder, { recursive: true });
const unknown = new Set(readdirSync(folder));
let stale = 0;
for (const [name, source] of Object.entries(CONTRACTS)) {
  const [path, wanted] = [join(folder, `${name}.json`), text(artifact(name, source))];
  unknown.delete(`${name}.json`);
  if (!check) {
    writeFileSync(path, wanted);
  } else if (!existsSync(path) || readFileSync(path, "utf8") !== wanted) {
    console.error(`artifacts/${name}.json is not what its source compiles to`);
    stale += 1;
  }
}
for (const name of unknown) {
  console.error(`artifacts/${name} belongs to no contract`);
  stale += 1;
}
if (stale === 0) console.log(`${Object.keys(CONTRACTS).length} artifacts ${check ? "compared" : "written"}`);
process.exit(stale === 0 ? 0 : 1);
