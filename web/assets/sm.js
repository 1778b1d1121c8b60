// SM3 and SM2, which WebCrypto lacks: GB/T 32905-2016, and the verification of GB/T 32918.2-2016 on the curve of
// GB/T 32918.5-2017 with the default identity. For verify.js; it verifies only, so it need not hide how long it takes.

const rotate = (x, n) => ((x << n) | (x >>> (32 - n))) >>> 0;

/** Returns the SM3 digest of bytes. */
export function sm3(bytes) {
  const length = (Math.floor((bytes.length + 8) / 64) + 1) * 64;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(length - 8, Math.floor(bytes.length / 0x20000000));
  view.setUint32(length - 4, (bytes.length << 3) >>> 0);
  let v = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e];
  const w = new Uint32Array(68);
  for (let at = 0; at < length; at += 64) {
    for (let j = 0; j < 16; j++) w[j] = view.getUint32(at + 4 * j);
    for (let j = 16; j < 68; j++) {
      const x = w[j - 16] ^ w[j - 9] ^ rotate(w[j - 3], 15);
      w[j] = x ^ rotate(x, 15) ^ rotate(x, 23) ^ rotate(w[j - 13], 7) ^ w[j - 6];
    }
    v = compress(v, w);
  }
  const out = new DataView(new ArrayBuffer(32));
  v.forEach((word, i) => out.setUint32(4 * i, word));
  return new Uint8Array(out.buffer);
}

function compress(v, w) {
  let [a, b, c, d, e, f, g, h] = v;
  for (let j = 0; j < 64; j++) {
    const a12 = rotate(a, 12);
    const ss1 = rotate((a12 + e + rotate(j < 16 ? 0x79cc4519 : 0x7a879d8a, j % 32)) >>> 0, 7);
    const ff = j < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
    const gg = j < 16 ? e ^ f ^ g : (e & f) | (~e & g);
    const tt1 = (ff + d + (ss1 ^ a12) + (w[j] ^ w[j + 4])) >>> 0;
    const tt2 = (gg + h + ss1 + w[j]) >>> 0;
    [d, c, b, a] = [c, rotate(b, 9), a, tt1];
    [h, g, f, e] = [g, rotate(f, 19), e, (tt2 ^ rotate(tt2, 9) ^ rotate(tt2, 17)) >>> 0];
  }
  return [a, b, c, d, e, f, g, h].map((word, i) => (word ^ v[i]) >>> 0);
}

// The curve y² = x³ - 3x + B over the prime P, its base point G, and the order N of that.
const P = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn;
const B = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n;
const N = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n;
const G = [
  0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n,
  0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n,
];

const mod = (x) => ((x % P) + P) % P;

/** Returns the inverse of x modulo P, by the extended algorithm of Euclid. */
function inverse(x) {
  let [r0, r1, s0, s1] = [P, mod(x), 0n, 1n];
  while (r1 !== 0n) {
    const q = r0 / r1;
    [r0, r1, s0, s1] = [r1, r0 - q * r1, s1, s0 - q * s1];
  }
  return mod(s0);
}

/** Returns the sum of two points; null is the neutral one. */
function add(p, q) {
  if (p === null || q === null) return p ?? q;
  const same = p[0] === q[0];
  if (same && p[1] !== q[1]) return null;
  const slope = mod(same ? 3n * (p[0] * p[0] - 1n) * inverse(2n * p[1]) : (q[1] - p[1]) * inverse(q[0] - p[0]));
  const x = mod(slope * slope - p[0] - q[0]);
  return [x, mod(slope * (p[0] - x) - p[1])];
}

function times(k, p) {
  let sum = null;
  for (const bit of k.toString(2)) sum = add(add(sum, sum), bit === "1" ? p : null);
  return sum;
}

const number = (bytes) => BigInt("0x" + Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(""));
const bytesOf = (n) => Uint8Array.from(n.toString(16).padStart(64, "0").match(/../g), (pair) => parseInt(pair, 16));

/** Reports whether signature, r and s, is that of message by the public key 0x04, x, y. */
export function verifySM2(key, signature, message) {
  const [x, y] = [number(key.subarray(1, 33)), number(key.subarray(33))];
  if (key.length !== 65 || key[0] !== 4 || x >= P || y >= P || mod(y * y - x * x * x + 3n * x - B) !== 0n) return false;
  if (signature.length !== 64) return false;
  const [r, s] = [number(signature.subarray(0, 32)), number(signature.subarray(32))];
  const t = (r + s) % N;
  if (r === 0n || r >= N || s === 0n || s >= N || t === 0n) return false;
  const identity = [0, 0x80, ...new TextEncoder().encode("1234567812345678")]; // 128 bits long
  const z = sm3(Uint8Array.from([...identity, ...[P - 3n, B, ...G].flatMap((n) => [...bytesOf(n)]), ...key.subarray(1)]));
  const e = number(sm3(Uint8Array.from([...z, ...message])));
  const at = add(times(s, G), times(t, [x, y]));
  return at !== null && (e + at[0]) % N === r;
}
