"""The private keys of a node: how they are made, kept, opened, replaced and shown to the registry."""

from node.keys.certificate import TlsIdentity, expires_ms, make_certificate, target_name
from node.keys.descriptor import Identity, build_descriptor, needs_descriptor, next_descriptor
from node.keys.passphrase import Passphrase, find_passphrase
from node.keys.ring import KeyRecord, KeyRing, State, Use, read_index
from node.keys.signer import SoftwareSigner, generate, read_key, write_key
from node.keys.subjects import open_subject_key

__all__ = [
    "Identity",
    "KeyRecord",
    "KeyRing",
    "Passphrase",
    "SoftwareSigner",
    "State",
    "TlsIdentity",
    "Use",
    "build_descriptor",
    "expires_ms",
    "find_passphrase",
    "generate",
    "make_certificate",
    "needs_descriptor",
    "next_descriptor",
    "open_subject_key",
    "read_index",
    "read_key",
    "target_name",
    "write_key",
]
