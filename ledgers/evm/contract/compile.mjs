// Compiles Checkpoints.sol into Checkpoints.json: ABI, code that deploys, code that runs. The same input gives the same bytes on
// any machine: the compiler is WebAssembly of an exact version, and its metadata are left out.
import { readFileSync, writeFileSync } from "node:fs";
import solc from "solc";

const name = "Checkpoints";
const here = (file) => new URL(file, import.meta.url);
const out = JSON.parse(solc.compile(JSON.stringify({
  language: "Solidity",
  sources: { [name]: { content: readFileSync(here(`${name}.sol`), "utf8") } },
  settings: {
    evmVersion: "london", // consortium chains are seldom on the newest rules
    optimizer: { enabled: true, runs: 10000 },
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
})));
for (const e of out.errors ?? []) console.error(e.formattedMessage);
if (out.errors?.length) process.exit(1);
const { abi, evm } = out.contracts[name][name];
writeFileSync(here(`${name}.json`), JSON.stringify({
  compiler: solc.version(), abi, deploy: "0x" + evm.bytecode.object, code: "0x" + evm.deployedBytecode.object,
}, null, 1) + "\n");
