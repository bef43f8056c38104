"""The command line's helper: calibrates on a Dask cluster for the process at the other end of stdin and stdout.

    python3 -m openrknn.calibration_process tcp://scheduler:8786

Messages are eight bytes of length, little endian, and the bytes. It receives what to do (JSON) and the golden graph,
asks for samples by index, and ends with the parts of the calibration, or with what a worker found wrong.
"""

from __future__ import annotations

import io
import json
import sys

import numpy as np

from openrknn import Error
from openrknn.distributed import calibrate_with, dask_executor


class _Peer:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def receive(self) -> bytes:
        length = int.from_bytes(self._exactly(8), "little")
        return self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        data = self.reader.read(size)
        if len(data) < size:
            raise EOFError("the process that asked for a calibration is gone")
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


def main(address: str) -> int:
    # Whatever else writes to standard output must not meet the messages.
    peer = _Peer(sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout = sys.stderr
    task = json.loads(peer.receive())
    golden = peer.receive()
    samples = _Samples(peer, task["samples"])
    try:
        with dask_executor(address) as executor:
            parts = calibrate_with(executor)(golden, samples, task["histograms"])
    except Error as error:
        peer.send({"diagnostics": error.diagnostics})
        return 0
    except (ImportError, OSError) as error:  # no Dask, no scheduler
        print(f"calibration: {error}", file=sys.stderr)
        return 1
    peer.send({"parts": len(parts)})
    for part in parts:
        peer.send(part)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
