// Verifies a Suyuan receipt in the browser, without asking anyone: docs/formats.md in the hub's repository specifies
// every byte. It has no dependencies; hashes and signatures are those of WebCrypto, and of sm.js for logs of SM3 and SM2.
//
//   const { ok, complete, checks } = await verify(await (await fetch(url)).arrayBuffer(), pinnedKey)
//
// checks are {name, ok, detail} in the order in which they were made, up to the first that failed. ok of a check is true,
// false, or null where this browser cannot make it; detail then says why. ok of the result is true only if every check
// holds; complete is false if one could not be made.

import { sm3, verifySM2 } from "./sm.js";

const RECEIPT = "https://suyuan.dev/receipt/v1";
const NOTARY = "https://suyuan.dev/notary/v1";
const MAX_RECEIPT = 4 << 20; // bytes
const MAX_LEVELS = 128; // of arrays and objects

const utf8 = new TextEncoder();
const strictUTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A refusal: the check that is being made fails for this reason. */
class Refused extends Error {}

/** A check that cannot be made here. */
class Unable extends Error {}

function need(condition, why) {
  if (!condition) throw new Refused(why);
}

/**
 * Verifies a receipt.
 * @param {string|ArrayBuffer|Uint8Array} receiptText the receipt as it was served, byte for byte
 * @param {string} [pinnedKey] the verifier key of the log that the reader trusts
 */
export async function verify(receiptText, pinnedKey) {
  const state = {};
  const steps = [
    ["format", () => format(state, receiptText)],
    ["event", () => event(state.receipt)],
    ["leaf", () => leaf(state.receipt.leaf)],
    ["checkpoint", () => checkpoint(state)],
    ["inclusion", () => inclusion(state)],
    ["ledger", () => ledger(state.receipt)],
    ["trust", () => trust(state.receipt, pinnedKey)],
  ];
  const checks = [];
  for (const [name, step] of steps) {
    try {
      checks.push({ name, ok: true, detail: await step() });
    } catch (e) {
      const unable = e instanceof Unable;
      checks.push({ name, ok: unable ? null : false, detail: e.message });
      if (!unable) break;
    }
  }
  return {
    ok: checks.length === steps.length && checks.every((c) => c.ok === true),
    complete: checks.every((c) => c.ok !== null),
    checks,
  };
}

// --- format ---------------------------------------------------------------------------------------------------------

function format(state, text) {
  let value;
  try {
    if (typeof text !== "string") text = strictUTF8.decode(text);
    if (text.endsWith("\n")) text = text.slice(0, -1);
    need(text.length <= MAX_RECEIPT && utf8.encode(text).length <= MAX_RECEIPT, "the receipt is too large");
    value = JSON.parse(text);
  } catch (e) {
    throw e instanceof Refused ? e : new Refused("it is not JSON: " + e.message);
  }
  need(canonical(value) === text, "it is not in its canonical encoding");
  shape(value, receiptShape, "receipt");
  need(value.type === RECEIPT, "its type is not " + RECEIPT);
  state.receipt = value;
  return "canonical encoding of " + RECEIPT;
}

/** Returns the RFC 8785 (JCS) form of a parsed value. A name that stood twice in the text makes the two differ. */
export function canonical(value, room = MAX_LEVELS) {
  if (typeof value === "string") {
    need(!loneSurrogate.test(value), "a string is not Unicode");
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    need(Number.isFinite(value), "a number is too large");
    return JSON.stringify(value);
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  need(room > 0, "it nests too deeply");
  if (Array.isArray(value)) return "[" + value.map((v) => canonical(v, room - 1)).join(",") + "]";
  const names = Object.keys(value).sort(); // by UTF-16 code units
  return "{" + names.map((n) => canonical(n) + ":" + canonical(value[n], room - 1)).join(",") + "}";
}

const loneSurrogate = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

const isObject = (v) => v !== null && typeof v === "object" && !Array.isArray(v);
const isString = (v) => typeof v === "string";
const isCount = (v) => Number.isSafeInteger(v) && v >= 0;
const isDigest = (v) => isString(v) && /^[0-9a-f]{64}$/.test(v);
const isInstant = (v) =>
  isString(v) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(v) &&
  !v.startsWith("0000") && !Number.isNaN(Date.parse(v)) && new Date(v).toISOString() === v;

const receiptShape = {
  checkpoint: isString,
  event: isObject,
  key: isString,
  leaf: {
    connector: isString, event: isDigest, eventHash: isString, provider: isString, raw: isDigest,
    receivedAt: isInstant, salt: isDigest, version: Number.isSafeInteger,
  },
  ledger: (v) => Array.isArray(v) && v.every((e) => shape(e, { entry: () => true, ledger: isString }, "evidence")),
  proof: { hashes: (v) => Array.isArray(v) && v.every(isDigest), leafIndex: isCount, treeSize: isCount },
  type: isString,
};

const notaryShape = {
  checkpoint: isString, index: isCount, key: isString, previous: isDigest, recordedAt: isInstant,
  signature: isString, type: isString,
};

/** Refuses a value that does not have exactly the members of a shape. */
function shape(value, want, what) {
  need(isObject(value), `${what} is not an object`);
  for (const name of Object.keys(value)) need(Object.hasOwn(want, name), `${what} has an unknown member ${name}`);
  for (const [name, member] of Object.entries(want)) {
    need(Object.hasOwn(value, name), `${what} lacks ${name}`);
    if (typeof member === "function") need(member(value[name]), `${name} of ${what} is not what it must be`);
    else shape(value[name], member, `${name} of ${what}`);
  }
  return true;
}

// --- event and leaf -------------------------------------------------------------------------------------------------

async function event(receipt) {
  const digest = hex(await sha256(utf8.encode(canonical(receipt.event))));
  need(digest === receipt.leaf.event, `the event's digest is ${digest}, the leaf record states ${receipt.leaf.event}`);
  return "sha-256 " + digest;
}

function leaf(record) {
  need(record.version === 1, `its version is ${record.version}, this reads 1`);
  for (const name of [record.provider, record.connector]) {
    need(/^[a-z0-9][a-z0-9-]{0,62}$/.test(name), `${JSON.stringify(name)} is not a name`);
  }
  need(/^[ !#-%'-;=?-[\]-~]*$/.test(record.eventHash), "its event hash is not one");
  return `stated by ${record.provider} through ${record.connector}, received ${record.receivedAt}`;
}

// --- checkpoint -----------------------------------------------------------------------------------------------------

async function checkpoint(state) {
  const { checkpoint: note, key } = state.receipt;
  const parsed = parseCheckpoint(note);
  state.signed = parsed; // already here, for a browser that cannot check the signature
  const verifier = await parseKey(key);
  state.hash = verifier.sm2 ? sm3 : sha256;
  need(parsed.signatures.length === 1, "a receipt's checkpoint bears the log's signature alone");
  const [signature] = parsed.signatures;
  need(parsed.origin === verifier.name, `its origin is ${parsed.origin}, the key is that of ${verifier.name}`);
  need(signature.name === verifier.name && signature.id === verifier.id, "the key did not sign it");
  await checkSignature(verifier, signature.bytes, utf8.encode(parsed.text));
  return `${parsed.origin} signed size ${parsed.size}`;
}

/** Reads a checkpoint (c2sp.org/tlog-checkpoint) in its one spelling. */
function parseCheckpoint(note) {
  // eslint-disable-next-line no-control-regex
  need(!/[\u0000-\u0009\u000b-\u001f]/.test(note), "the checkpoint has a control character");
  const end = note.lastIndexOf("\n\n");
  need(end >= 0 && note.endsWith("\n") && end + 2 < note.length, "the checkpoint has no signature");
  const text = note.slice(0, end + 1);
  const lines = text.split("\n");
  need(lines.length === 4, "a checkpoint has 3 lines");
  const [origin, size, root] = lines;
  need(isKeyName(origin), "the checkpoint has no origin");
  need(/^(0|[1-9]\d{0,15})$/.test(size) && Number.isSafeInteger(Number(size)), `${size} is not a tree size`);
  const rootBytes = base64(root);
  need(rootBytes.length === 32, "the checkpoint has no root hash");
  const signatures = note.slice(end + 2, -1).split("\n").map((line) => {
    const match = /^— (\S+) (\S+)$/u.exec(line);
    need(match && isKeyName(match[1]), "a signature line is not one");
    const bytes = base64(match[2]);
    need(bytes.length > 4, "a signature is too short");
    return { name: match[1], id: hex(bytes.subarray(0, 4)), bytes: bytes.subarray(4) };
  });
  return { text, origin, size: Number(size), root: rootBytes, signatures };
}

const isKeyName = (s) => /^[!-*,-~]{1,255}$/.test(s);

/** Reads a verifier key "name+id+base64" (c2sp.org/signed-note). */
async function parseKey(key) {
  const parts = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(key);
  need(parts && isKeyName(parts[1]), "the key is not a verifier key");
  const bytes = base64(parts[3]);
  const sm2 = hex(bytes.subarray(0, SM2_MARK.length)) === hex(SM2_MARK);
  need(sm2 ? bytes.length === SM2_MARK.length + 65 : bytes.length === 33 && bytes[0] === 1, "the key is neither an Ed25519 nor an SM2 key");
  const id = hex((await sha256(concat(utf8.encode(parts[1] + "\n"), bytes))).subarray(0, 4));
  need(id === parts[2], "the key's id does not fit");
  return { name: parts[1], id, sm2, bytes: bytes.subarray(sm2 ? SM2_MARK.length : 1) };
}

/** What stands before an SM2 key. */
const SM2_MARK = Uint8Array.of(0xff, ...utf8.encode("suyuan.dev/sm2\n"));

async function checkSignature(key, signature, message) {
  need(signature.length === 64, "the signature is not 64 bytes long");
  if (key.sm2) {
    need(verifySM2(key.bytes, signature, message), `the signature of ${key.name} does not fit`);
    return;
  }
  let ok;
  try {
    const imported = await subtle().importKey("raw", key.bytes, { name: "Ed25519" }, false, ["verify"]);
    ok = await subtle().verify({ name: "Ed25519" }, imported, signature, message);
  } catch (e) {
    if (e instanceof Unable) throw e;
    if (e.name === "NotSupportedError" || e instanceof TypeError) {
      throw new Unable("this browser cannot check Ed25519 signatures; check the receipt with `suyuan verify`");
    }
    throw new Refused("the key is not one: " + e.message);
  }
  need(ok, `the signature of ${key.name} does not fit`);
}

// --- inclusion ------------------------------------------------------------------------------------------------------

async function inclusion(state) {
  const { proof, leaf: record } = state.receipt;
  state.hash ??= sha256; // for a browser that cannot read the key
  const { size, root } = state.signed;
  need(proof.treeSize === size, `the proof is for ${proof.treeSize} leaves, the checkpoint for ${size}`);
  need(proof.leafIndex < size, `leaf ${proof.leafIndex} is not in a tree of ${size}`);
  let hash = await state.hash(concat([0], utf8.encode(canonical(record))));
  let node = proof.leafIndex;
  let last = size - 1; // the path of the last leaf; where the two meet there is no sibling on the right
  for (const text of proof.hashes) {
    need(last > 0, "the proof has too many hashes");
    const sibling = unhex(text);
    if (node % 2 === 1 || node === last) {
      hash = await state.hash(concat([1], sibling, hash));
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      hash = await state.hash(concat([1], hash, sibling));
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  need(last === 0, "the proof has too few hashes");
  need(hex(hash) === hex(root), `leaf and proof give the root ${hex(hash)}, not ${hex(root)}`);
  return `leaf ${proof.leafIndex} of ${size}, root ${hex(root)}`;
}

// --- ledger and trust -----------------------------------------------------------------------------------------------

async function ledger(receipt) {
  need(receipt.ledger.length > 0, "no ledger has witnessed the checkpoint");
  const seen = new Set();
  const found = [];
  let unable;
  for (const { ledger: name, entry } of receipt.ledger) {
    need(!seen.has(name), `ledger ${name} speaks twice`);
    seen.add(name);
    const check = Object.hasOwn(ledgers, name) ? ledgers[name] : undefined;
    try {
      if (!check) throw new Unable(`evidence of ledger ${name} is not checked here; check it with \`suyuan verify\``);
      found.push(`${name}: ${await check(entry, receipt.checkpoint)}`);
    } catch (e) {
      if (!(e instanceof Unable)) throw e;
      unable = e;
    }
  }
  if (unable) throw unable;
  return found.join("; ");
}

const ledgers = { notary };

async function notary(entry, note) {
  shape(entry, notaryShape, "the notary's entry");
  need(entry.type === NOTARY, "the entry's type is not " + NOTARY);
  need(entry.checkpoint === note, "the entry is about another checkpoint");
  const key = await parseKey(entry.key);
  const { signature, ...signed } = entry;
  await checkSignature(key, base64(signature), utf8.encode("suyuan.dev/notary/v1\n" + canonical(signed)));
  return `entry ${entry.index} of ${entry.key} at ${entry.recordedAt}`;
}

function trust(receipt, pinnedKey) {
  if (pinnedKey === undefined || pinnedKey === null) {
    return "the keys were taken from the receipt itself: it is consistent, but whose log it is was not checked";
  }
  need(receipt.key === pinnedKey, "the log's key is not the one that you trust");
  return "the log's key is the one that you trust";
}

// --- bytes ----------------------------------------------------------------------------------------------------------

function subtle() {
  const s = globalThis.crypto?.subtle;
  if (!s) throw new Unable("this page cannot compute hashes, because it was not loaded over HTTPS");
  return s;
}

async function sha256(bytes) {
  return new Uint8Array(await subtle().digest("SHA-256", bytes));
}

function concat(...parts) {
  return Uint8Array.from(parts.flatMap((p) => [...p]));
}

function hex(bytes) {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

function unhex(text) {
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}

/** Decodes standard base64 in its one spelling. */
function base64(text) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    throw new Refused(`${text} is not base64`);
  }
  need(btoa(String.fromCharCode(...bytes)) === text, `${text} is not canonical base64`);
  return bytes;
}
