#!/usr/bin/env python3
"""Verifies Suyuan receipts offline, as docs/formats.md specifies them: on the notary, on witnesses and on Hyperledger Fabric, of
logs of SHA-256 with Ed25519 and, with sm2.py beside it, of SM3 with SM2.

--key is the log's verifier key, --trust a trust file in JSON, which is YAML, too; without them a receipt is checked in itself
only. It needs Python 3.8 and the package "cryptography" (42 or later), and exits 0 only if all hold. See also: suyuan verify.
"""
import argparse, base64, datetime, decimal, functools, hashlib, json, re, sys  # noqa: E401
from cryptography import exceptions, x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256, SM3, Hash
RECEIPT, NOTARY, FABRIC = ("https://suyuan.dev/%s/v1" % kind for kind in ("receipt", "notary", "fabric"))
KEY_NAME, NAME, PLAIN = "[!-*,-~]{1,255}", "[a-z0-9][a-z0-9-]{0,62}", "[ !#-%'-;=?-\\[\\]-~]*"
ED25519, COSIGNER, SM2 = b"\1", b"\4", b"\xffsuyuan.dev/sm2\n"  # the types of keys
HALF_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2  # of the curve P-256
def need(condition, why):
    if not condition:
        raise ValueError(why)
def number(x):
    """A JSON number as ECMAScript writes it (RFC 8785, section 3.2.2.3)."""
    d = decimal.Decimal(repr(float(x) or 0.0)).normalize()  # there is no -0
    need(d.is_finite(), "a number is too large")
    return format(d, "f" if d == 0 or -7 < d.adjusted() < 21 else "e")
def jcs(v, room=128):
    """The canonical form of a value (RFC 8785), as text; room is for how many levels of arrays and objects."""
    need(room or not isinstance(v, (dict, list)), "it nests too deeply")
    if isinstance(v, dict):
        return "{%s}" % ",".join(jcs(n) + ":" + jcs(v[n], room - 1) for n in sorted(v, key=lambda n: n.encode("utf-16-be")))
    return ("[%s]" % ",".join(jcs(e, room - 1) for e in v) if isinstance(v, list) else
            number(v) if type(v) in (int, float) else json.dumps(v, ensure_ascii=False))
KINDS = {
    "count": lambda v: type(v) is int and 0 <= v < 2**53, "digest": lambda v: re.fullmatch("[0-9a-f]{64}", v),
    "digests": lambda v: type(v) is list and all(map(KINDS["digest"], v)), "list": lambda v: type(v) is list,
    "instant": lambda v: datetime.datetime.fromisoformat(v[:-1]).isoformat(timespec="milliseconds") + "Z" == v,
    "object": lambda v: type(v) is dict, "text": lambda v: type(v) is str, "value": lambda v: True}
def shape(value, **want):
    need(isinstance(value, dict) and set(value) == set(want), "it has not exactly the members " + ", ".join(want))
    for name, kind in want.items():
        need(KINDS[kind](value[name]), "%s is no %s" % (name, kind))
def read(raw):
    raw, r = raw[:-1] if raw.endswith(b"\n") else raw, json.loads(raw.decode("utf-8"))
    need(len(raw) <= 4 << 20 and jcs(r).encode() == raw, "it is too large, not canonically encoded, or has a name twice")
    shape(r, checkpoint="text", event="object", key="text", leaf="object", ledger="list", proof="object", type="text")
    shape(r["leaf"], connector="text", event="digest", eventHash="text", provider="text", raw="digest",
          receivedAt="instant", salt="digest", version="count")
    shape(r["proof"], hashes="digests", leafIndex="count", treeSize="count")
    for evidence in r["ledger"]:
        shape(evidence, entry="value", ledger="text")
    return need(r["type"] == RECEIPT, "its type is not " + RECEIPT) or r
def unbase64(s):
    b = base64.b64decode(s, validate=True)
    return need(base64.b64encode(b).decode() == s, "%r is not canonical base64" % s) or b
def digest(hash_name, b):
    h = Hash(SM3() if hash_name == "sm3" else SHA256())
    return h.update(b) or h.finalize()
def parse_key(text, of=ED25519):
    """(name, id, check(signature, message), name of the hash) of "name+id+base64" (c2sp.org/signed-note); ED25519 or SM2."""
    name, key_id, b = re.fullmatch("(%s)\\+([^+]*)\\+(.*)" % KEY_NAME, text).groups()
    b, name_line = unbase64(b), name.encode() + b"\n"
    mark, size, kind = (SM2, 65, "sm3") if of == ED25519 and b.startswith(SM2) else (of, 32, "sha-256")
    need(b.startswith(mark) and len(b) == len(mark) + size, "it is neither an Ed25519 nor an SM2 key of its use")
    need(hashlib.sha256(name_line + b).hexdigest()[:8] == key_id, "its id does not fit")
    check = (functools.partial(__import__("sm2").verify, b[len(mark):]) if kind == "sm3" else  # sm2.py, beside this file
             ed25519.Ed25519PublicKey.from_public_bytes(b[1:]).verify)
    return name, bytes.fromhex(key_id), check, kind
def open_checkpoint(note, key):
    """(origin, size, root, name of the hash) of a checkpoint (c2sp.org/tlog-checkpoint) that key alone signed."""
    name, key_id, check, hash_name = parse_key(key)
    m = re.fullmatch("(%s)\n(0|[1-9][0-9]{0,15})\n([^\n]+)\n\n— ([^ \n]+) ([^\n]+)\n" % KEY_NAME, note)
    need(m and m[1] == m[4] == name, "it is not a checkpoint with the one signature of its origin")
    size, root, signature = int(m[2]), unbase64(m[3]), unbase64(m[5])
    need(size < 2**53 and len(root) == 32 and signature[:4] == key_id, "size or root is not one, or the key did not sign")
    check(signature[4:], note[:m.end(3) + 1].encode())
    return name, size, root, hash_name
def root_of(hash_name, leaf, index, size, hashes):
    """The root that an inclusion proof gives (RFC 9162, section 2.1.3.2); above `inner` every sibling is on the left."""
    inner = (index ^ size - 1).bit_length()
    need(index < size and len(hashes) == inner + bin(index >> inner).count("1"), "the proof has another length")
    h = digest(hash_name, b"\0" + leaf)
    for i, sibling in enumerate(map(bytes.fromhex, hashes)):
        h = digest(hash_name, b"\1" + (sibling + h if i >= inner or index >> i & 1 else h + sibling))
    return h
def check_notary(entry, c, pinned):
    shape(entry, checkpoint="text", index="count", key="text", previous="digest", recordedAt="instant", signature="text",
          type="text")
    need((entry["type"], entry["checkpoint"]) == (NOTARY, c["checkpoint"]), "the entry is about something else")
    need(pinned is None or pinned["key"] == entry["key"], "the notary's key is not the trusted one")
    signed = "suyuan.dev/notary/v1\n" + jcs({k: v for k, v in entry.items() if k != "signature"})
    parse_key(entry["key"])[2](unbase64(entry["signature"]), signed.encode())
def check_witness(entry, c, pinned):
    shape(entry, cosignature="text", key="text")
    need(pinned is None or pinned["key"] == entry["key"], "the witness's key is not the trusted one")
    name, key_id, check, _ = parse_key(entry["key"], COSIGNER)
    line = re.fullmatch("— %s ([^\n]+)\n" % re.escape(name), entry["cosignature"])
    b = unbase64(line[1] if line else "")
    need(b[:4] == key_id and b[4:5] < b"\x80", "it is not a cosignature (c2sp.org/tlog-cosignature) by the key")
    check(b[12:], b"cosignature/v1\ntime %d\n%s\n" % (int.from_bytes(b[4:12], "big"), c["checkpoint"].encode().split(b"\n\n")[0]))
def fields(b):
    """A protocol buffer message as {field number: [value...]}; only fields of integers and of bytes occur."""
    out, at = {}, 0
    while at < len(b):
        m = re.compile(b"([\x80-\xff]*[\0-\x7f])" * 2).match(b, at)  # number and type, and an integer or a length
        tag, n = (sum((c & 127) << 7 * i for i, c in enumerate(varint)) for varint in m.groups())
        at = m.end() + (n if tag & 7 else 0)
        need(tag & 7 in (0, 2) and at <= len(b), "a message is malformed")
        out.setdefault(tag >> 3, []).append(b[m.end():at] if tag & 7 else n)
    return out
def get(b, *path):
    return functools.reduce(lambda b, n: fields(b).get(n, [b""])[-1], path, b)
def signed(identity, signature, message, who):
    """(MSP id, certificate) of an identity (msp/identities.proto) that signed message."""
    msp, cert = get(identity, 1).decode(), x509.load_pem_x509_certificate(get(identity, 2))
    need(utils.decode_dss_signature(signature)[1] <= HALF_ORDER, "the signature of the %s of %s has a high s" % (who, msp))
    cert.public_key().verify(signature, message, ec.ECDSA(SHA256()))
    return msp, cert
def open_envelope(b):
    """What a transaction says whose signatures all fit (common/common.proto, peer/transaction.proto)."""
    payload, channel, author = get(b, 1), get(b, 1, 1, 1), get(b, 1, 1, 2)
    creator = signed(get(author, 1), get(b, 2), payload, "creator")
    (action,) = fields(get(payload, 2))[1]
    need((get(channel, 1), get(action, 1), sorted(fields(b))) == (3, author, [1, 2]), "it is not one transaction of its creator")
    need(hashlib.sha256(get(author, 2) + get(author, 1)).hexdigest() == get(channel, 5).decode(), "its id does not fit")
    answer, result = get(action, 2, 2, 1), get(action, 2, 2, 1, 2)
    need(hashlib.sha256(channel + author + get(action, 2, 1)).digest() == get(answer, 1), "another proposal was endorsed")
    name, sets = get(result, 4, 2), {get(ns, 1): fields(get(ns, 2)) for ns in fields(get(result, 1))[2]}
    need(get(result, 3, 1) == 200 and not any(s.get(3) for ns, s in sets.items() if ns != name), "it writes elsewhere")
    endorsers = [signed(get(e, 1), get(e, 2), answer + get(e, 1), "endorser") for e in fields(get(action, 2, 2)).get(2, [])]
    return {"where": (get(channel, 4).decode(), name.decode()), "id": get(channel, 5).decode(), "creator": creator,
            "at": get(channel, 3, 1), "endorsers": endorsers, "reads": sets[name].get(1, []),
            "writes": {get(w, 1): get(w, 3) for w in sets[name].get(3, [])}, "answer": get(result, 3, 3)}
def check_chain(signer, at, pinned, unit):
    """Checks that the organisation that is named issued the certificate, and that it was valid when it signed."""
    when, (msp, cert) = datetime.datetime.fromtimestamp(at, datetime.timezone.utc), signer
    roots = [c for c in x509.load_pem_x509_certificates(pinned["roots"][msp].encode()) if c.subject == cert.issuer]
    need(roots, "a certificate of %s is from a foreign authority" % msp)
    cert.verify_directly_issued_by(roots[0])  # fails for a foreign authority of the same name
    need(all(c.not_valid_before_utc <= when <= c.not_valid_after_utc for c in (cert, roots[0])), "a certificate had expired")
    units = cert.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    need(unit in ["-"] + [a.value for a in units], "a certificate of %s is that of no peer" % msp)
def check_fabric(entry, c, pinned):
    shape(entry, attestation="text", block="count", transaction="text", type="text", validation="text")
    need(entry["type"] == FABRIC and entry["validation"] == "VALID", "the transaction was marked invalid")
    made, seen = open_envelope(unbase64(entry["transaction"])), open_envelope(unbase64(entry["attestation"]))
    key = ("checkpoint %(origin)s %(size)016d" % c).encode()
    need(set(made["writes"]) == {key, b"head " + c["origin"].encode()}, "it does not write exactly this checkpoint")
    record, answer = json.loads(made["writes"][key]), json.loads(seen["answer"])
    need(record == dict(record, **c, txId=made["id"], submitter=made["creator"][0]), "it writes another checkpoint")
    need((seen["where"], seen["writes"], answer["record"]) == (made["where"], {}, record), "it is attested otherwise")
    need([get(r, 2, 1) for r in seen["reads"] if get(r, 1) == key] == [entry["block"]], "it is of another block")
    if pinned is None: return  # noqa: E701
    need(made["where"] == (pinned["channel"], pinned["chaincode"]), "it stands on another channel or contract")
    if pinned.get("owner"):
        need(pinned["owner"] == made["creator"][0], "it was submitted by another organisation")
        check_chain(made["creator"], made["at"], pinned, "-")
    for t in (made, seen):
        by = {s[0]: s for s in t["endorsers"] if s[0] in pinned["rule"]["msps"]}
        for s in by.values():
            check_chain(s, t["at"], pinned, pinned.get("peerOU", "peer"))
        need(len(by) >= pinned["rule"]["nOf"], "it is endorsed by [%s], below the rule" % ", ".join(by))
def verify(raw, trust):
    """Makes the checks in order; the first that fails ends them: (name, reason), or (None, description)."""
    check = "format"
    try:
        r = read(raw)
        leaf, proof, check = r["leaf"], r["proof"], "event"
        need(hashlib.sha256(jcs(r["event"]).encode()).hexdigest() == leaf["event"], "its digest is not the stated one")
        check = "leaf"
        need(leaf["version"] == 1 and all(re.fullmatch(NAME, leaf[n]) for n in ("provider", "connector")), "it is malformed")
        need(re.fullmatch(PLAIN, leaf["eventHash"]), "its event hash is not one")
        check = "checkpoint"
        origin, size, root, hash_name = open_checkpoint(r["checkpoint"], r["key"])
        check = "inclusion"
        proven = root_of(trust.get("hash", hash_name), jcs(leaf).encode(), proof["leafIndex"], proof["treeSize"], proof["hashes"])
        need((proof["treeSize"], proven) == (size, root), "leaf and proof give another root or are of another size")
        check, c = "ledger", {"checkpoint": r["checkpoint"], "origin": origin, "size": size, "root": root.hex()}
        names, ledgers = [e["ledger"] for e in r["ledger"]], trust.get("ledgers", {})
        need(names and len(set(names)) == len(names), "nobody has witnessed it, or somebody twice")
        for e in r["ledger"]:
            kind, by = e["ledger"].partition("/")[0], {"fabric": check_fabric, "notary": check_notary, "witness": check_witness}
            need(kind in by, "nothing here checks evidence of %r; its own program does, see suyuan verify --ledger" % kind)
            by[kind](e["entry"], c, ledgers.get(e["ledger"]))
        check = "trust"
        need(not trust or r["key"] in trust["keys"], "the log's key is not a trusted one")
        rules = trust.get("require", len(ledgers))
        for rule in rules if type(rules) is list else [{"count": rules, "of": ledgers}]:
            of, count = ([rule], 1) if type(rule) is str else (rule["of"], rule.get("count", len(rule["of"])))
            need(len(set(names) & set(ledgers) & set(of)) >= count, "too few trusted ledgers witnessed it")
    except (ValueError, LookupError, RecursionError, OverflowError, TypeError, AttributeError, exceptions.InvalidSignature) as e:
        return check, str(e) or "the signature does not fit"
    return None, "leaf %d of %d of %s%s" % (proof["leafIndex"], size, origin, "" if trust else ", by the key that it names itself")
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    def FILE(path): return path, argparse.FileType("rb")(path).read()  # noqa: E704
    def JSON(path): return dict({"keys": []}, **json.loads(FILE(path)[1]))  # noqa: E704
    parser.add_argument("--key"), parser.add_argument("--trust", type=JSON), parser.add_argument("receipts", nargs="+", type=FILE)
    args = parser.parse_args()
    verdicts = [(path, *verify(raw, args.trust or ({} if args.key is None else {"keys": [args.key]}))) for path, raw in args.receipts]
    for path, failed, detail in verdicts:
        print("%s %s: %s" % (path, "verifies" if failed is None else "REFUSED by check %s" % failed, detail))
    sys.exit(any(failed for _, failed, _ in verdicts))
