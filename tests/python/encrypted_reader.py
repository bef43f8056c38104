"""A second reader of encrypted files, after docs/rknn_file.md, over the package `cryptography`."""

import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"ORKNCRPT"
TAG = 16


def derive(key, salt):
    both = HKDF(hashes.SHA256(), 48, salt, b"OpenRKNN model encryption 1").derive(key)
    return both[:32], both[32:]


def header_place(data):
    """Behind the frame, whose length its own fields tell, at a multiple of 64."""
    if data.startswith(MAGIC):
        return 0
    end = 64 + struct.unpack_from("<Q", data, 16)[0]
    end += 8 + struct.unpack_from("<Q", data, end)[0]
    return -(-end // 64) * 64


def read(data, key):
    """The plain file."""
    at = header_place(data)
    header = data[at : at + 128]
    magic, version, _level, _user_key, cipher, _, chunk, _, size = struct.unpack_from("<8sIBBBBIIQ", header)
    assert (magic, version, cipher) == (MAGIC, 1, 1)
    cipher_key, check = derive(key, header[32:64])
    assert check == header[64:80]
    gcm = AESGCM(cipher_key)
    assert gcm.decrypt(b"\xff" * 12, header[112:], data[: at + 112]) == b""
    content, place = b"", at + 128
    while len(content) < size:
        nonce = struct.pack("<QI", len(content) // chunk, 0)
        sealed = data[place : place + min(chunk, size - len(content)) + TAG]
        content += gcm.decrypt(nonce, sealed, header + nonce)
        place += len(sealed)
    assert place == len(data)
    return content[64 : 64 + struct.unpack_from("<Q", content)[0]]
