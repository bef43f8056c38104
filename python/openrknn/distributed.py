"""Calibration by several processes or machines: any `concurrent.futures.Executor`.

Samples are shared out; each worker computes the float graph on its share and sends back what every tensor held
(minima, maxima, counts). These add up to the same bytes in any order and for any number of workers, so the parameters
chosen from them are the same, bit for bit, as those of one process.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager

from openrknn import Error, _core

# Shares are small, so that a lost worker costs little and slow machines hold nobody up; but the graph travels with each.
_SAMPLES_PER_SHARE = 8
# Shares that are with the executor at once: what limits the memory of this process.
_SHARES_AHEAD = 8

Calibrate = Callable[[bytes, "_core.Samples", bool], "list[bytes]"]


class _WorkerError(Exception):
    """An openrknn.Error on its way home: it has fields that pickle would lose."""

    def __init__(self, text: str, code: str, diagnostics: list):
        super().__init__(text, code, diagnostics)

    def restore(self) -> Error:
        text, code, diagnostics = self.args
        error = Error(text)
        error.code, error.diagnostics = code, diagnostics
        return error


def _calibrate_share(
    golden: bytes, first: int, samples: list, descriptions: list, histograms: bool, threads: int
) -> bytes:
    try:
        return _core.calibrate_part(golden, first, samples, descriptions, histograms, threads)
    except Error as error:
        raise _WorkerError(str(error), error.code, error.diagnostics) from None


def _is_loss(error: BaseException) -> bool:
    """The worker is gone, and with it the share; the work itself has not failed."""
    return not isinstance(error, (_WorkerError, Error, KeyboardInterrupt))


class _Shares:
    """What a share's worker gets, made when it is needed."""

    def __init__(self, golden: bytes, samples: _core.Samples, histograms: bool, threads: int):
        self.golden, self.samples, self.histograms, self.threads = golden, samples, histograms, threads

    def firsts(self) -> range:
        return range(0, len(self.samples), _SAMPLES_PER_SHARE)

    def arguments(self, first: int) -> tuple:
        indices = range(first, min(first + _SAMPLES_PER_SHARE, len(self.samples)))
        both = [(self.samples.get(i), self.samples.describe(i)) for i in indices]
        arrays, descriptions = ([pair[k] for pair in both] for k in (0, 1))
        return self.golden, first, arrays, descriptions, self.histograms, self.threads


def calibrate_with(executor: Executor, threads: int = 1) -> Calibrate:
    """What `openrknn.compile(executor=...)` calls. threads: of one worker; 0 = all of its machine.

    A share whose worker is lost is computed in this process, with a RuntimeWarning; executors that replace their
    workers (Dask) never get that far. An openrknn.Error of a worker is raised here.
    """

    def calibrate(golden: bytes, samples: _core.Samples, histograms: bool) -> list[bytes]:
        shares = _Shares(golden, samples, histograms, threads)
        parts: list[bytes] = []
        lost: list[int] = []
        reason: BaseException | None = None
        pending: dict[Future, int] = {}
        waiting = iter(shares.firsts())

        def submit(first: int) -> None:
            nonlocal reason
            try:
                pending[executor.submit(_calibrate_share, *shares.arguments(first))] = first
            except RuntimeError as error:  # a broken executor takes nothing more
                if isinstance(error, Error):
                    raise
                reason = error
                lost.append(first)

        try:
            for first in waiting:
                submit(first)
                while len(pending) >= _SHARES_AHEAD or (pending and first == shares.firsts()[-1]):
                    done, _ = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        reason = _collect(future, pending.pop(future), parts, lost) or reason
        except _WorkerError as error:
            raise error.restore() from None
        finally:
            for future in pending:
                future.cancel()
        if lost:
            warnings.warn(
                f"calibration: {len(lost)} of {len(shares.firsts())} shares were lost with their workers "
                f"({type(reason).__name__}: {reason}); this process computes them",
                RuntimeWarning,
                stacklevel=2,
            )
        parts += [_core.calibrate_part(*shares.arguments(first)) for first in lost]
        return parts

    return calibrate


def _collect(future: Future, first: int, parts: list[bytes], lost: list[int]) -> BaseException | None:
    """Takes a finished share's part, or remembers that it is lost and gives the reason."""
    try:
        parts.append(future.result())
        return None
    except BaseException as error:
        if not _is_loss(error):
            raise
        lost.append(first)
        return error


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
