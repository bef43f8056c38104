"""The command line's helper: shares work out to a Dask cluster for the process at the other end of stdin and stdout.

    python3 -m openrknn.share_process tcp://scheduler:8786

Messages are eight bytes of length, little endian, and the bytes. For each work it receives what it is (JSON) and the
task, asks for samples by index, and answers with the parts, or with what a worker found wrong. It ends when nothing
more comes.
"""

from __future__ import annotations

import io
import json
import sys

import numpy as np

from openrknn import Error
from openrknn.distributed import dask_executor, share_with


class _Peer:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def receive(self) -> bytes:
        length = int.from_bytes(self._exactly(8), "little")
        return self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        data = self.reader.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def send(self, message: bytes | dict) -> None:
        if isinstance(message, dict):
            message = json.dumps(message).encode()
        self.writer.write(len(message).to_bytes(8, "little") + message)
        self.writer.flush()


class _Samples:
    """Samples that live in the other process."""

    def __init__(self, peer: _Peer, count: int):
        self.peer, self.count, self.last = peer, count, (-1, "", [])

    def __len__(self) -> int:
        return self.count

    def _fetch(self, index: int) -> tuple[int, str, list]:
        if self.last[0] != index:
            self.peer.send({"sample": index})
            head = json.loads(self.peer.receive())
            arrays = [np.load(io.BytesIO(self.peer.receive())) for _ in range(head["arrays"])]
            self.last = (index, head["description"], arrays)
        return self.last

    def get(self, index: int) -> list:
        return self._fetch(index)[2]

    def describe(self, index: int) -> str:
        return self._fetch(index)[1]

    def finished(self, count: int) -> None:
        self.peer.send({"finished": count})


def serve(peer: _Peer, executor) -> None:
    """Works until the peer is gone."""
    share_out = share_with(executor)
    while True:
        try:
            work = json.loads(peer.receive())
            task = peer.receive()
            samples = _Samples(peer, work["samples"])
            parts = share_out(work["stage"], task, samples, work["samples_per_share"])
        except Error as error:
            peer.send({"diagnostics": error.diagnostics})
            continue
        except EOFError:
            return
        peer.send({"parts": len(parts)})
        for part in parts:
            peer.send(part)


def main(address: str) -> int:
    # Whatever else writes to standard output must not meet the messages.
    peer = _Peer(sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout = sys.stderr
    try:
        with dask_executor(address) as executor:
            serve(peer, executor)
    except (ImportError, OSError) as error:  # no Dask, no scheduler
        print(f"openrknn.share_process: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
