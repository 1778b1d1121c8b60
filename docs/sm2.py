"""SM2 signatures, which the package "cryptography" lacks: GB/T 32918.2-2016 with SM3, on the curve of GB/T 32918.5-2017 and with the
default identity. For verify.py; it verifies only, so it need not hide how long it takes."""
import functools
from cryptography.hazmat.primitives.hashes import SM3, Hash

# The curve y^2 = x^3 - 3x + B over the prime P, its base point (X, Y), and the order N of that.
P, B, X, Y, N = (int(s, 16) for s in """
FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF 28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7 BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123""".split())


def sm3(b):
    h = Hash(SM3())
    h.update(b)
    return h.finalize()


def add(p, q):
    """The sum of two points; None is the neutral one."""
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and p[1] != q[1]:
        return None
    slope = 3 * (p[0] ** 2 - 1) * pow(2 * p[1], -1, P) if p == q else (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def times(k, p):
    return functools.reduce(lambda total, bit: add(add(total, total), p if bit == "1" else None), bin(k)[2:], None)


def verify(public, signature, message):
    """Raises ValueError unless signature, r and s, is that of message by the key 0x04 || x || y."""
    x, y, r, s = (int.from_bytes(b, "big") for b in (public[1:33], public[33:], signature[:32], signature[32:]))
    if public[0] != 4 or max(x, y) >= P or (y * y - x ** 3 + 3 * x - B) % P:
        raise ValueError("the key is no point of the curve")
    t = (r + s) % N
    if len(signature) != 64 or not 0 < r < N or not 0 < s < N or t == 0:
        raise ValueError("the signature is not one")
    curve = b"".join(n.to_bytes(32, "big") for n in (P - 3, B, X, Y))
    identity = sm3(b"\0\x801234567812345678" + curve + public[1:])  # 128 bits long
    at = add(times(s, (X, Y)), times(t, (x, y)))
    if at is None or (int.from_bytes(sm3(identity + message), "big") + at[0]) % N != r:
        raise ValueError("the signature does not fit")
