// Verifies receipts with the browser's verifier and prints, a line a file, "verifies" or the check that failed.
//
//   node verify.mjs VERIFIER KEY RECEIPT...
//
// With NO_WEBCRYPTO=1 it plays a browser without WebCrypto, as one is on a page that was not loaded over HTTPS, and prints
// the checks that could not be made.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [verifier, key, ...receipts] = process.argv.slice(2);
const { verify } = await import(pathToFileURL(verifier));
if (process.env.NO_WEBCRYPTO) {
  Object.defineProperty(globalThis, "crypto", { value: undefined });
}
for (const path of receipts) {
  const { ok, complete, checks } = await verify(readFileSync(path), key);
  if (!complete) {
    console.log(checks.filter((c) => c.ok === null).map((c) => c.name).join(","));
    continue;
  }
  console.log(ok ? "verifies" : checks.find((c) => c.ok !== true).name);
}
