// Verifies receipts with the browser's verifier and prints, a line a file, "verifies" or the check that failed.
//
//   node verify.mjs VERIFIER KEY RECEIPT...
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [verifier, key, ...receipts] = process.argv.slice(2);
const { verify } = await import(pathToFileURL(verifier));
for (const path of receipts) {
  const { ok, checks } = await verify(readFileSync(path), key);
  console.log(ok ? "verifies" : checks.find((c) => c.ok !== true).name);
}
