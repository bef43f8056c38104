"""Work over samples by several processes or machines: any `concurrent.futures.Executor`.

Samples are shared out; each worker computes on its share and sends back bytes: what every tensor held (calibration),
the sums of each sample (analysis), outputs (the trials of a search). What is made of them is the same, bit for bit, as
without an executor, for any number of workers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager

from openrknn import Error, _core

# Shares that are with the executor at once: what limits the memory of this process.
_SHARES_AHEAD = 8

ShareOut = Callable[[str, bytes, "_core.Samples", int], "list[bytes]"]


class _WorkerError(Exception):
    """An openrknn.Error on its way home: it has fields that pickle would lose."""

    def __init__(self, text: str, code: str, diagnostics: list):
        super().__init__(text, code, diagnostics)

    def restore(self) -> Error:
        text, code, diagnostics = self.args
        error = Error(text)
        error.code, error.diagnostics = code, diagnostics
        return error


def _compute_share(task: bytes, first: int, samples: list, descriptions: list, threads: int) -> bytes:
    try:
        return _core.compute_share(task, first, samples, descriptions, threads)
    except Error as error:
        raise _WorkerError(str(error), error.code, error.diagnostics) from None


def _is_loss(error: BaseException) -> bool:
    """The worker is gone, and with it the share; the work itself has not failed."""
    return not isinstance(error, (_WorkerError, Error, KeyboardInterrupt))


class _Shares:
    """One work's shares: what each worker gets, made when it is needed, and what came back."""

    def __init__(self, task: bytes, samples: _core.Samples, samples_per_share: int, threads: int):
        self.task, self.samples, self.threads = task, samples, threads
        self.firsts = range(0, len(samples), samples_per_share)
        self.parts: dict[int, bytes] = {}
        self.lost: list[int] = []
        self.reason: BaseException | None = None

    def indices(self, first: int) -> range:
        return range(first, min(first + self.firsts.step, self.firsts.stop))

    def arguments(self, first: int) -> tuple:
        both = [(self.samples.get(i), self.samples.describe(i)) for i in self.indices(first)]
        arrays, descriptions = ([pair[k] for pair in both] for k in (0, 1))
        return self.task, first, arrays, descriptions, self.threads

    def collect(self, future: Future, first: int) -> None:
        """Takes a finished share's part, or remembers that it is lost."""
        try:
            self.take(first, future.result())
        except BaseException as error:
            if not _is_loss(error):
                raise
            self.lose(first, error)

    def take(self, first: int, part: bytes) -> None:
        self.parts[first] = part
        self.samples.finished(len(self.indices(first)))

    def lose(self, first: int, reason: BaseException) -> None:
        self.lost.append(first)
        self.reason = reason

    def in_order(self) -> list[bytes]:
        return [self.parts[first] for first in self.firsts]


def share_with(executor: Executor, threads: int = 1) -> ShareOut:
    """What `executor=` stands for: called with a work's stage, task, samples and how many of them make a share.

    threads: of one worker; 0 = all of its machine. A share whose worker is lost is computed in this process, with a
    RuntimeWarning; executors that replace their workers (Dask) never get that far. An openrknn.Error of a worker is
    raised here.
    """

    def share_out(stage: str, task: bytes, samples: _core.Samples, samples_per_share: int) -> list[bytes]:
        shares = _Shares(task, samples, samples_per_share, threads)
        pending: dict[Future, int] = {}

        def submit(first: int) -> None:
            try:
                pending[executor.submit(_compute_share, *shares.arguments(first))] = first
            except RuntimeError as error:  # a broken executor takes nothing more
                if isinstance(error, Error):
                    raise
                shares.lose(first, error)

        try:
            for first in shares.firsts:
                submit(first)
                while len(pending) >= _SHARES_AHEAD or (pending and first == shares.firsts[-1]):
                    done, _ = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        shares.collect(future, pending.pop(future))
        except _WorkerError as error:
            raise error.restore() from None
        finally:
            for future in pending:
                future.cancel()
        if shares.lost:
            warnings.warn(
                f"{stage}: {len(shares.lost)} of {len(shares.firsts)} shares were lost with their workers "
                f"({type(shares.reason).__name__}: {shares.reason}); this process computes them",
                RuntimeWarning,
                stacklevel=2,
            )
        for first in shares.lost:
            shares.take(first, _core.compute_share(*shares.arguments(first)))
        return shares.in_order()

    return share_out


@contextmanager
def dask_executor(address: str, timeout_seconds: float = 10) -> Iterator[Executor]:
    """An executor on the Dask cluster whose scheduler is at `address` ("tcp://host:8786").

    Raises ImportError without Dask, OSError where nobody answers in time.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError("Dask is not installed: pip install 'openrknn[dask]'") from error
    with Client(address, timeout=timeout_seconds) as client, client.get_executor(pure=False) as executor:
        yield executor
