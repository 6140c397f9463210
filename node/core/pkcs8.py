"""Encrypted private keys as PKCS#8 (RFC 5958) under PBES2 (RFC 8018) with scrypt (RFC 7914) and AES-256-CBC.

The library's own encryption of PKCS#8 stretches a passphrase with 2,048 rounds of PBKDF2, which a graphics card
tries a million times a second; it reads scrypt but does not write it, hence these few lines. Standard tools open the
result: `openssl pkey -in FILE`. Randomness comes in from outside.
"""

import base64
from dataclasses import dataclass

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.x509 import ObjectIdentifier

SALT_BYTES = 16
IV_BYTES = 16
_KEY_BYTES = 32
_BLOCK_BITS = 128

_PBES2 = ObjectIdentifier("1.2.840.113549.1.5.13")
_SCRYPT = ObjectIdentifier("1.3.6.1.4.1.11591.4.11")
_AES_256_CBC = ObjectIdentifier("2.16.840.1.101.3.4.1.42")


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """What one guess costs: memory 128 * n * r bytes, work n * r * p (RFC 7914, section 2)."""

    n: int
    r: int
    p: int


@asn1.sequence
class _ScryptParameters:
    salt: bytes
    n: int
    r: int
    p: int


@asn1.sequence
class _KeyDerivation:
    algorithm: ObjectIdentifier
    parameters: _ScryptParameters


@asn1.sequence
class _Encryption:
    algorithm: ObjectIdentifier
    iv: bytes


@asn1.sequence
class _Pbes2Parameters:
    derivation: _KeyDerivation
    encryption: _Encryption


@asn1.sequence
class _Algorithm:
    algorithm: ObjectIdentifier
    parameters: _Pbes2Parameters


@asn1.sequence
class _EncryptedPrivateKeyInfo:
    algorithm: _Algorithm
    encrypted: bytes


def encrypt(private_key: bytes, passphrase: bytes, cost: ScryptCost, salt: bytes, iv: bytes) -> bytes:
    """The PEM file of a private key, given as unencrypted PKCS#8 in DER; salt and iv must be fresh and random."""
    secret = Scrypt(salt=salt, length=_KEY_BYTES, n=cost.n, r=cost.r, p=cost.p).derive(passphrase)
    parameters = _ScryptParameters(salt=salt, n=cost.n, r=cost.r, p=cost.p)
    scheme = _Pbes2Parameters(
        derivation=_KeyDerivation(algorithm=_SCRYPT, parameters=parameters),
        encryption=_Encryption(algorithm=_AES_256_CBC, iv=iv),
    )
    info = _EncryptedPrivateKeyInfo(
        algorithm=_Algorithm(algorithm=_PBES2, parameters=scheme),
        encrypted=_aes_256_cbc(private_key, secret, iv),
    )
    return _pem("ENCRYPTED PRIVATE KEY", asn1.encode_der(info))


def _aes_256_cbc(plain: bytes, secret: bytes, iv: bytes) -> bytes:
    padder = padding.PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(algorithms.AES256(secret), modes.CBC(iv)).encryptor()
    padded = padder.update(plain) + padder.finalize()
    return encryptor.update(padded) + encryptor.finalize()


def _pem(label: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()
