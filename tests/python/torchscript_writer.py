"""Writes TorchScript archives by hand: code as text, attributes as a pickle of a few opcodes."""

import struct
import zipfile

HEAD = "class Net(Module):\n  __parameters__ = []\n  __buffers__ = []\n"


def encode(value) -> bytes:
    """What pickles of TorchScript say of plain values. Bytes are opcodes already."""
    if isinstance(value, bytes):
        return value
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        return b"\x8a\x08" + struct.pack("<q", value)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, tuple):
        return b"(" + b"".join(map(encode, value)) + b"t"
    raise TypeError(type(value))


def tensor(key: str, shape, strides=None, kind="FloatStorage", count=None, offset=0) -> bytes:
    """A tensor of the entry data/KEY."""
    size = 1
    steps = []
    for extent in reversed(shape):
        steps.insert(0, size)
        size *= extent
    storage = b"(X\x07\x00\x00\x00storage" + f"ctorch\n{kind}\n".encode()
    storage += encode(key) + encode("cpu") + encode(size if count is None else count) + b"tQ"
    steps = tuple(steps if strides is None else strides)
    rest = encode(offset) + encode(tuple(shape)) + encode(steps) + encode(False) + b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"tR"


def write(path, body, *, attributes=None, data=None, arguments="x: Tensor", extra="", pickle=None, packing=0):
    """A model whose forward has this body, a line a statement; `data`: bytes of storages by key."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    code = f"{extra}{HEAD}  def forward(self: __torch__.Net,\n    {arguments}) -> Tensor:\n{lines}"
    if pickle is None:
        state = b"}(" + b"".join(encode(k) + encode(v) for k, v in (attributes or {}).items()) + b"u"
        pickle = b"\x80\x02c__torch__\nNet\n)\x81" + state + b"b."
    entries = {"data.pkl": pickle, "code/__torch__.py": code.encode(), "constants.pkl": b"\x80\x02)."}
    entries |= {f"data/{key}": content for key, content in (data or {}).items()}
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in entries.items():
            archive.writestr(f"net/{name}", content)
    return path
