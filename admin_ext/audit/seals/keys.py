"""The key that signs blocks. Its private half belongs to the sealer alone; the public half to everybody."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

BEGIN = "-----BEGIN PUBLIC KEY-----"


class NoKey(Exception):
    """The key file is not there, or is not a key; the message says which and what to do."""


class KeyIsThere(Exception):
    """A key is not made over one that exists."""


def make_key(path: Path) -> Ed25519PrivateKey:
    """Make a private key in a file that its account alone may read. Raises KeyIsThere."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeyIsThere(f"There is a key in {path} already. Move it away first; keep its public half.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return key


def read_key(path: Path) -> Ed25519PrivateKey:
    """Raises NoKey."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise NoKey(f"There is no sealing key in {path}. Make one with seal_audit --make-key.") from error
    except (OSError, ValueError) as error:
        raise NoKey(f"The sealing key in {path} cannot be read: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NoKey(f"The key in {path} is not an Ed25519 key.")
    return key


def key_id(public: Ed25519PublicKey) -> str:
    """By what people compare keys: 16 hexadecimal digits of the SHA-256 of the 32 public bytes."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def public_text(public: Ed25519PublicKey) -> str:
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def parse_public(text: str) -> dict[str, Ed25519PublicKey]:
    """The keys of a PEM text, old ones included, by id. Raises NoKey."""
    keys = {}
    for part in text.split(BEGIN)[1:]:
        try:
            key = serialization.load_pem_public_key((BEGIN + part).encode())
        except ValueError as error:
            raise NoKey(f"This is not a public key: {error}") from error
        if not isinstance(key, Ed25519PublicKey):
            raise NoKey("A public key is not an Ed25519 key.")
        keys[key_id(key)] = key
    if not keys:
        raise NoKey("There is no public key in this text.")
    return keys


def read_public(paths: Iterable[Path]) -> dict[str, Ed25519PublicKey]:
    """The public keys of the first file that is there. Raises NoKey."""
    tried = [str(path) for path in paths]
    for path in tried:
        try:
            return parse_public(Path(path).read_text())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise NoKey(f"The public key in {path} cannot be read: {error}") from error
    raise NoKey(f"There is no public key in {' or '.join(tried)}: has seal_audit ever run?")


def keep_public(path: Path, public: Ed25519PublicKey) -> None:
    """Add the key to the public keys in a file, where it is not among them: what earlier keys signed stays provable."""
    there = path.read_text() if path.exists() else ""
    if there and key_id(public) in parse_public(there):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(there + public_text(public))
    os.replace(new, path)
