#!/usr/bin/env python3
"""A Suyuan ledger out of process: a file of checkpoints, each signed and chained to the one before.

It is meant as a beginning for ledgers of your own: keep the class Hub as it is, and write another Chain that brings
checkpoints before your consortium's chain with the SDK of that chain. The protocol is described in docs/ledger-exec.md. It
needs Python 3.8 and the package "cryptography", for signatures.

config:
  dir        folder of the chain's file and key; without it the program only verifies
"""

import base64
import hashlib
import json
import os
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PROTOCOL = 1
KIND = "filechain"  # what this evidence is called in receipts


class Refused(Exception):
    """A request is not met. code: conflict, invalid, forbidden, or unavailable (nothing was committed); any other code says
    that the outcome is unknown, and the hub looks it up."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Hub:
    """The hub at the other end of standard input and output."""

    def __init__(self):
        self.chain = None

    def serve(self, open_chain):
        """Answer requests until there are no more. open_chain(config, logs) returns the chain, with a dictionary `spec`."""
        for line in sys.stdin.buffer:  # its end means that the hub is gone
            request = json.loads(line)
            kind = request.get("t")
            if kind == "stop":
                break
            try:
                self._answer(request, kind, open_chain)
            except Refused as refused:
                self._say("error", request, code=refused.code, message=str(refused))
                if kind == "init":
                    sys.exit(1)

    def _answer(self, request, kind, open_chain):
        if kind == "init":
            if request.get("protocol") != PROTOCOL:
                raise Refused("protocol", "this ledger speaks protocol %d" % PROTOCOL)
            self.chain = open_chain(request.get("config") or {}, request.get("logs") or [])
            self._say("ready", request, spec=self.chain.spec)
        elif kind == "commit":
            self._say("evidence", request, evidence=self.chain.commit(request))
        elif kind == "lookup":
            self._held(request, self.chain.lookup(request["origin"], request["size"]))
        elif kind == "latest":
            self._held(request, self.chain.latest(request["origin"]))
        elif kind == "verify":
            self._say("genuine", request, by=verify(request["note"], request["evidence"], request.get("pinned")))
        else:
            raise Refused("unsupported", "%r is no request that this ledger knows" % kind)

    def _held(self, request, evidence):
        if evidence is None:
            self._say("none", request)
        else:
            self._say("held", request, note=evidence["checkpoint"], evidence=evidence)

    def _say(self, kind, request, **members):
        if "id" in request:
            members["id"] = request["id"]
        line = json.dumps(dict(members, t=kind), ensure_ascii=False).encode("utf-8")
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()

    @staticmethod
    def log(level, text):
        """Write to the hub's log: level is E, W, I or D."""
        print("%s! %s" % (level, text), file=sys.stderr, flush=True)


def canonical(entry):
    """The bytes of an entry: its members in order, without white space (RFC 8785, for what occurs here)."""
    return json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def signed_bytes(entry):
    return b"filechain/v1\n" + canonical({name: value for name, value in entry.items() if name != "signature"})


def verify(note, evidence, pinned):
    """Check evidence offline, as `suyuan verify` asks. pinned is what the reader's trust file says of this ledger, or None."""
    names = {"checkpoint": str, "index": int, "key": str, "previous": str, "signature": str}
    if not isinstance(evidence, dict) or set(evidence) != set(names):
        raise Refused("invalid", "the entry has not the members " + ", ".join(names))
    if any(type(evidence[name]) is not kind for name, kind in names.items()):
        raise Refused("invalid", "a member of the entry is of another type")
    if evidence["checkpoint"] != note:
        raise Refused("invalid", "the entry is about another checkpoint")
    if pinned is not None and pinned.get("key") != evidence["key"]:
        raise Refused("invalid", "the chain's key is not the trusted one")
    try:
        key = base64.b64decode(evidence["key"], validate=True)
        signature = base64.b64decode(evidence["signature"], validate=True)
        if any(base64.b64encode(b).decode() != evidence[n] for n, b in (("key", key), ("signature", signature))):
            raise ValueError
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed_bytes(evidence))
    except (ValueError, InvalidSignature):
        raise Refused("invalid", "the signature of the chain does not fit") from None
    return "entry %d of the chain of %s" % (evidence["index"], evidence["key"])


class Chain:
    """The ledger: it keeps its entries, checks that every log only grows, and gives the entry as evidence."""

    def __init__(self, config, logs):
        self.logs = {}
        for log in logs:
            name, _, key = log["key"].split("+", 2)
            key = base64.b64decode(key)
            if key[:1] != b"\1" or log["hash"] != "sha-256":
                raise Refused("unsupported", "this ledger serves logs of SHA-256 with Ed25519 keys")
            self.logs[name] = Ed25519PublicKey.from_public_bytes(key[1:])
        folder = config["dir"]
        os.makedirs(folder, exist_ok=True)
        self.key = self._load_key(os.path.join(folder, "chain.key"))
        self.public = base64.b64encode(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
        self.spec = {"name": "filechain", "version": "1", "kind": KIND, "pin": {"key": self.public}}
        self.held = {}  # by origin: [(size, root, entry)...]
        self.count, self.last = 0, "0" * 64
        self.file = open(os.path.join(folder, "chain.jsonl"), "a+b")
        self._load()

    @staticmethod
    def _load_key(path):
        try:
            with open(path, "rb") as file:
                return Ed25519PrivateKey.from_private_bytes(base64.b64decode(file.read()))
        except FileNotFoundError:
            key = Ed25519PrivateKey.generate()
            raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
            with os.fdopen(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(base64.b64encode(raw))
                file.flush()
                os.fsync(file.fileno())
            os.rename(path + ".new", path)
            return key

    def _load(self):
        """Read the chain. A last line without an end was never answered for: it is cut off."""
        self.file.seek(0)
        end = 0
        for line in self.file:
            if not line.endswith(b"\n"):
                break
            self._note(json.loads(line), line)
            end += len(line)
        self.file.truncate(end)

    def _note(self, entry, line):
        origin, size, root = parse(entry["checkpoint"])
        self.held.setdefault(origin, []).append((size, root, entry))
        self.count, self.last = self.count + 1, hashlib.sha256(line[:-1]).hexdigest()

    def commit(self, request):
        note = request["note"]
        origin, size, root = parse(note)
        if origin not in self.logs:
            raise Refused("forbidden", "this ledger does not serve the log " + origin)
        if (origin, size, root.hex()) != (request["origin"], request["size"], request["root"]) or size == 0:
            raise Refused("invalid", "the note states another checkpoint")
        check_signature(note, self.logs[origin])
        entries = self.held.get(origin, [])
        for held_size, held_root, entry in entries:
            if held_size == size and held_root == root:
                return entry  # it was committed before
            if held_size == size:
                raise Refused("conflict", "another root is held for size %d" % size)
        newest, newest_root = entries[-1][:2] if entries else (0, b"")
        if size < newest:
            raise Refused("conflict", "size %d is held, which is larger" % newest)
        if request["previous"] != newest:
            raise Refused("invalid", "the proof begins at size %d, size %d is held" % (request["previous"], newest))
        if newest and not extends(newest, newest_root, size, root, [bytes.fromhex(h) for h in request["consistency"]]):
            raise Refused("conflict", "the proof does not show that the log only grew: it was rewritten")
        entry = {"checkpoint": note, "index": self.count, "key": self.public, "previous": self.last}
        entry["signature"] = base64.b64encode(self.key.sign(signed_bytes(entry))).decode()
        line = canonical(entry) + b"\n"
        self.file.write(line)
        self.file.flush()
        os.fsync(self.file.fileno())  # only what survives a crash is answered for
        self._note(entry, line)
        return entry

    def lookup(self, origin, size):
        return next((entry for held, _, entry in self.held.get(origin, []) if held == size), None)

    def latest(self, origin):
        entries = self.held.get(origin)
        return entries[-1][2] if entries else None


class Reader:
    """No ledger: what `suyuan verify` starts, which gives neither config nor logs. It leaves nothing in the reader's folder."""

    spec = {"name": "filechain", "version": "1", "kind": KIND}

    def commit(self, *_):
        raise Refused("config", "without config this program only verifies")

    lookup = latest = commit


def open_chain(config, logs):
    if "dir" in config:
        return Chain(config, logs)
    if logs:
        raise Refused("config", "config lacks dir, the folder of the chain's file and key")
    return Reader()


def parse(note):
    """(origin, size, root) that a checkpoint states (c2sp.org/tlog-checkpoint)."""
    try:
        origin, size, root = note.split("\n")[:3]
        return origin, int(size), base64.b64decode(root, validate=True)
    except ValueError:
        raise Refused("invalid", "the note is no checkpoint") from None


def check_signature(note, key):
    text, _, signatures = note.partition("\n\n")
    for line in signatures.splitlines():
        try:
            signature = base64.b64decode(line.split(" ")[-1])[4:]
            key.verify(signature, (text + "\n").encode("utf-8"))
            return
        except (ValueError, InvalidSignature):
            continue
    raise Refused("forbidden", "the log's key did not sign the checkpoint")


def extends(old, old_root, new, new_root, proof):
    """Check an RFC 6962 consistency proof (RFC 9162, section 2.1.4.2)."""
    if old & (old - 1) == 0:
        proof = [old_root] + proof
    if not proof:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    was = now = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            was, now = node(sibling, was), node(sibling, now)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            now = node(now, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


if __name__ == "__main__":
    Hub().serve(open_chain)
