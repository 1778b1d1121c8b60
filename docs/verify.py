#!/usr/bin/env python3
"""Verifies Suyuan receipts offline, as docs/formats.md specifies them.

    python3 verify.py [--key VERIFIER-KEY] RECEIPT...

--key is the verifier key of the log that you trust; without it a receipt is checked in itself only. It needs Python 3.8
and, for the Ed25519 signatures, the package "cryptography". It prints one line a receipt and exits 0 only if all hold.
Evidence of ledgers other than the embedded notary is refused, because nothing here checks it: use `suyuan verify`.
"""
import argparse
import base64
import datetime
import decimal
import hashlib
import json
import re
import sys
try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.exit("verify.py checks Ed25519 signatures with the package 'cryptography': pip install cryptography")

RECEIPT, NOTARY = "https://suyuan.dev/receipt/v1", "https://suyuan.dev/notary/v1"
KEY_NAME, NAME = "[!-*,-~]{1,255}", "[a-z0-9][a-z0-9-]{0,62}"


def need(condition, why):
    if not condition:
        raise ValueError(why)


def number(x):
    """A JSON number as ECMAScript writes it (RFC 8785, section 3.2.2.3)."""
    need(abs(float(x)) < float("inf"), "a number is too large")
    _, digits, exponent = decimal.Decimal(repr(abs(float(x)))).normalize().as_tuple()
    digits, point = "".join(map(str, digits)), len(digits) + exponent
    if digits == "0":
        return "0"
    if 0 < point <= 21:
        text = digits[:point].ljust(point, "0") + ("." + digits[point:] if digits[point:] else "")
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if digits[1:] else "") + "e%+d" % (point - 1)
    return "-" + text if x < 0 else text


def jcs(v):
    """The canonical form of a value (RFC 8785), as text."""
    if isinstance(v, dict):
        return "{" + ",".join(jcs(n) + ":" + jcs(v[n]) for n in sorted(v, key=lambda n: n.encode("utf-16-be"))) + "}"
    if isinstance(v, list):
        return "[" + ",".join(map(jcs, v)) + "]"
    if isinstance(v, (int, float)) and not isinstance(v, bool):
        return number(v)
    return json.dumps(v, ensure_ascii=False)


def pairs(members):
    need(len(dict(members)) == len(members), "a name stands twice")
    return dict(members)


def is_instant(v):
    return type(v) is str and datetime.datetime.fromisoformat(v[:-1]).isoformat(timespec="milliseconds") + "Z" == v


KINDS = {
    "count": lambda v: type(v) is int and 0 <= v < 2**53,
    "digest": lambda v: type(v) is str and re.fullmatch("[0-9a-f]{64}", v),
    "digests": lambda v: type(v) is list and all(map(KINDS["digest"], v)),
    "instant": is_instant,
    "list": lambda v: type(v) is list,
    "object": lambda v: type(v) is dict,
    "text": lambda v: type(v) is str,
    "value": lambda v: True,
}


def shape(value, **want):
    """Refuses a value that does not have exactly these members of these kinds."""
    need(isinstance(value, dict) and set(value) == set(want), "it has not exactly the members " + ", ".join(want))
    for name, kind in want.items():
        need(KINDS[kind](value[name]), "%s is no %s" % (name, kind))


def read(raw):
    raw = raw[:-1] if raw.endswith(b"\n") else raw
    need(len(raw) <= 4 << 20, "it is too large")
    r = json.loads(raw.decode("utf-8"), object_pairs_hook=pairs)
    need(jcs(r).encode("utf-8") == raw, "it is not in its canonical encoding")
    shape(r, checkpoint="text", event="object", key="text", leaf="object", ledger="list", proof="object", type="text")
    shape(r["leaf"], connector="text", event="digest", eventHash="text", provider="text", raw="digest",
          receivedAt="instant", salt="digest", version="count")
    shape(r["proof"], hashes="digests", leafIndex="count", treeSize="count")
    for evidence in r["ledger"]:
        shape(evidence, entry="value", ledger="text")
    need(r["type"] == RECEIPT, "its type is not " + RECEIPT)
    return r


def unbase64(s):
    b = base64.b64decode(s, validate=True)
    need(base64.b64encode(b).decode() == s, "%r is not canonical base64" % s)
    return b


def parse_key(text):
    """(name, id, Ed25519 key) of "name+id+base64" (c2sp.org/signed-note)."""
    parts = text.split("+", 2)
    need(len(parts) == 3 and re.fullmatch(KEY_NAME, parts[0]), "the key is not a verifier key")
    b = unbase64(parts[2])
    need(len(b) == 33 and b[0] == 1, "it is not an Ed25519 key")
    key_id = hashlib.sha256(parts[0].encode() + b"\n" + b).digest()[:4]
    need(key_id.hex() == parts[1], "the key's id does not fit")
    return parts[0], key_id, Ed25519PublicKey.from_public_bytes(b[1:])


def open_checkpoint(note, key):
    """(origin, size, root) of a checkpoint (c2sp.org/tlog-checkpoint) that key alone signed."""
    name, key_id, public = parse_key(key)
    text, blank, rest = note.rpartition("\n\n")
    lines = text.split("\n")
    need(blank and len(lines) == 3 and not re.search("[\0-\x09\x0b-\x1f]", note), "it is not a checkpoint")
    line = re.fullmatch("— ([^ \n]+) ([^ \n]+)\n", rest)
    need(line, "it bears not exactly one signature")
    origin, size, root = lines[0], lines[1], unbase64(lines[2])
    need(re.fullmatch(KEY_NAME, origin), "its origin is not one")
    need(re.fullmatch("0|[1-9][0-9]{0,15}", size) and int(size) < 2**53 and len(root) == 32, "size or root is not one")
    need(origin == name == line[1], "origin, key and signature are of different names")
    signature = unbase64(line[2])
    need(signature[:4] == key_id, "the key did not sign it")
    public.verify(signature[4:], (text + "\n").encode())
    return origin, int(size), root


def root_of(leaf, index, size, hashes):
    """The root that an inclusion proof gives (RFC 9162, section 2.1.3.2)."""
    need(index < size, "the leaf is not in the tree")
    h, node, last = hashlib.sha256(b"\0" + leaf).digest(), index, size - 1
    for sibling in map(bytes.fromhex, hashes):
        need(last > 0, "the proof has too many hashes")
        if node & 1 or node == last:
            h = hashlib.sha256(b"\1" + sibling + h).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            h = hashlib.sha256(b"\1" + h + sibling).digest()
        node, last = node >> 1, last >> 1
    need(last == 0, "the proof has too few hashes")
    return h


def check_ledger(evidence, note):
    need([e["ledger"] for e in evidence] == ["notary"], "it is not witnessed by the notary alone")
    entry = evidence[0]["entry"]
    shape(entry, checkpoint="text", index="count", key="text", previous="digest", recordedAt="instant",
          signature="text", type="text")
    need(entry["type"] == NOTARY and entry["checkpoint"] == note, "the entry is about something else")
    signed = "suyuan.dev/notary/v1\n" + jcs({k: v for k, v in entry.items() if k != "signature"})
    parse_key(entry["key"])[2].verify(unbase64(entry["signature"]), signed.encode())


def verify(raw, pinned):
    """Makes the checks in order; the first that fails ends them: (name, reason), or (None, description)."""
    check = "format"
    try:
        r = read(raw)
        leaf, proof, check = r["leaf"], r["proof"], "event"
        need(hashlib.sha256(jcs(r["event"]).encode()).hexdigest() == leaf["event"], "its digest is not the stated one")
        check = "leaf"
        need(leaf["version"] == 1, "its version is not 1")
        need(re.fullmatch(NAME, leaf["provider"]) and re.fullmatch(NAME, leaf["connector"]), "a name is not one")
        check = "checkpoint"
        origin, size, root = open_checkpoint(r["checkpoint"], r["key"])
        check = "inclusion"
        need(proof["treeSize"] == size, "proof and checkpoint are of different sizes")
        need(root_of(jcs(leaf).encode(), proof["leafIndex"], size, proof["hashes"]) == root, "they give another root")
        check = "ledger"
        check_ledger(r["ledger"], r["checkpoint"])
        check = "trust"
        need(pinned is None or pinned == r["key"], "the log's key is not the trusted one")
    except (ValueError, RecursionError, OverflowError, InvalidSignature) as e:
        return check, str(e) or "the signature does not fit"
    own = "" if pinned else " (its key was taken from the receipt)"
    return None, "leaf %d of %d of %s%s" % (proof["leafIndex"], size, origin, own)


if __name__ == "__main__":
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--key")
    args.add_argument("receipts", nargs="+", metavar="RECEIPT")
    args, failures = args.parse_args(), 0
    for path in args.receipts:
        with open(path, "rb") as f:
            failed, detail = verify(f.read(), args.key)
        failures += failed is not None
        print("%s %s: %s" % (path, "verifies" if failed is None else "REFUSED by check %s" % failed, detail))
    sys.exit(1 if failures else 0)
