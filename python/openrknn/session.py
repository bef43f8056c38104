"""InferenceSession: argument forms, futures and clean-up around the extension's Session."""

from __future__ import annotations

import asyncio
import atexit
import functools
import logging
import os
import queue
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from openrknn import _core
from openrknn.io_binding import SessionIOBinding

PROVIDER = "RKNPU2ExecutionProvider"
_OUR_PROVIDERS = (PROVIDER, "RKNNExecutionProvider")
_OTHER_GENERATION = "RKNPU3ExecutionProvider"
# Keyword arguments of onnxruntime.InferenceSession that mean nothing here.
_IGNORED_KEYWORDS = {"disabled_optimizers", "enable_fallback", "read_config_from_model"}

_live_sessions: weakref.WeakSet = weakref.WeakSet()
_ignored_providers: set[str] = set()
_exit_hook = threading.Lock()
_exit_registered = False
_exiting = False


# Seconds a run that hangs may delay the interpreter's end.
_PATIENCE_AT_EXIT = 5.0


def _close_all() -> None:
    """Ends every session while callbacks can still run: afterwards no thread may enter the interpreter any more."""
    global _exiting
    _exiting = True
    deadline = time.monotonic() + _PATIENCE_AT_EXIT
    sessions = list(_live_sessions)
    for session in sessions:
        session.close(drain=False, timeout=0)
    for session in sessions:
        session.close(drain=False, timeout=max(0.0, deadline - time.monotonic()))
    _core.end_sessions(1.0)


def _forget_all() -> None:
    """In a forked child: the sessions, their threads and the device are the parent's."""
    _live_sessions.clear()


def _register(session: InferenceSession) -> None:
    global _exit_registered
    with _exit_hook:
        if not _exit_registered:
            atexit.register(_close_all)
            os.register_at_fork(after_in_child=_forget_all)
            _exit_registered = True
    _live_sessions.add(session)


def _ignore_provider(name: str) -> None:
    if name not in _ignored_providers:
        _ignored_providers.add(name)
        logging.getLogger("openrknn").info("provider %s is not ours and is ignored", name)


def _options_in(providers: Sequence | None) -> Mapping | None:
    """The options of our provider in a list as ONNX Runtime takes it: names, or (name, options)."""
    found = None
    for entry in [providers] if isinstance(providers, str) else providers or ():
        name, options = (entry[0], entry[1]) if isinstance(entry, (tuple, list)) else (entry, None)
        if name == _OTHER_GENERATION:
            raise _core.OptionError(
                f"{_OTHER_GENERATION} drives NPUs of another generation, which OpenRKNN does not support; use {PROVIDER}"
            )
        if name not in _OUR_PROVIDERS:
            _ignore_provider(name)
        elif options:
            found = options
    return found


class SessionFuture(Future):
    """A concurrent.futures.Future whose cancel() takes the task back from the queue if it has not begun."""

    def __init__(self, session: InferenceSession) -> None:
        super().__init__()
        self._session = weakref.ref(session)
        self._task: int | None = None

    def cancel(self) -> bool:
        session = self._session()
        if self.done() or self._task is None or session is None or not session._cancel(self._task):
            return self.cancelled()
        return super().cancel()

    def _settle(self, results: list | None, _: Any, error: Exception | None) -> None:
        """The task's end, which comes exactly once, also to a task that was cancelled."""
        if isinstance(error, _core.TaskCancelled) and str(error) == "task cancelled":
            super().cancel()
            self.set_running_or_notify_cancel()  # wakes those that wait for several futures
        elif error is not None:
            self.set_exception(error)
        else:
            self.set_result(results)


class InferenceSession(_core.Session):
    """Runs a .rknn model over librknnrt: on the simulator of a PC, on the NPU of a board.

    path_or_bytes: a path, or the model's bytes. providers: as in ONNX Runtime; names other than
    RKNPU2ExecutionProvider are ignored. provider_options: see make_provider_options. use_weight_from: another session
    whose weights are used. All methods may be called from any thread. Raises RuntimeError (openrknn.RknnError).
    """

    def __init__(
        self,
        path_or_bytes: str | os.PathLike | bytes,
        sess_options: Any = None,
        providers: Sequence | None = None,
        provider_options: Mapping | Sequence[Mapping] | None = None,
        *,
        use_weight_from: InferenceSession | None = None,
        **kwargs: Any,
    ) -> None:
        if _exiting:
            raise _core.RknnError("the interpreter is ending: sessions cannot be opened any more")
        for keyword in kwargs.keys() - _IGNORED_KEYWORDS:
            raise TypeError(f"InferenceSession got an unexpected keyword argument '{keyword}'")
        if use_weight_from is not None and not isinstance(use_weight_from, InferenceSession):
            raise _core.RknnError("use_weight_from must be an InferenceSession or None")
        if isinstance(provider_options, (list, tuple)) and sum(bool(entry) for entry in provider_options) > 1:
            warnings.warn("only the first entry of provider_options is used", UserWarning, stacklevel=2)
        listed = _options_in(providers)
        if listed is not None and provider_options:
            raise _core.OptionError("options are given in providers and in provider_options; set only one")
        options = provider_options if listed is None else listed

        def warn(text: str) -> None:
            warnings.warn(text, UserWarning, stacklevel=3)

        super().__init__(path_or_bytes, options, warn, use_weight_from)
        self._use_weight_from = use_weight_from
        self._provider_options = options
        self._trace_path: str | None = None
        _register(self)

    def __enter__(self) -> InferenceSession:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def get_providers(self) -> list[str]:
        return [PROVIDER]

    def get_provider_options(self) -> dict[str, dict]:
        options = self._provider_options
        if isinstance(options, (list, tuple)):
            options = options[0] if options else None
        return {PROVIDER: dict(options or {})}

    # ---- futures ----------------------------------------------------------------------------------------------------

    def submit(self, output_names: Sequence[str] | None, input_feed: Any) -> SessionFuture:
        """run_async with a concurrent.futures.Future: result() gives the outputs or raises."""
        future = SessionFuture(self)
        future._task = self._run_unordered(output_names, input_feed, future._settle)
        return future

    async def run_awaitable(self, output_names: Sequence[str] | None, input_feed: Any) -> list:
        """As run, for asyncio: the event loop is never blocked, not even by a full queue."""
        future = SessionFuture(self)
        try:
            future._task = self._run_unordered(output_names, input_feed, future._settle, False)
        except _core.SessionTimeout:
            submit = functools.partial(self.submit, output_names, input_feed)
            submitted = asyncio.get_running_loop().run_in_executor(None, submit)
            try:
                future = await asyncio.shield(submitted)
            except asyncio.CancelledError:
                submitted.add_done_callback(lambda done: done.exception() or done.result().cancel())
                raise
        return await asyncio.wrap_future(future)

    def stream(
        self,
        feeds: Iterable[Any],
        depth: int = 3,
        ordered: bool = True,
        output_names: Sequence[str] | None = None,
    ) -> Iterator[list]:
        """Yields the outputs of each feed, keeping `depth` tasks on their way: in order, or as they are done."""
        if depth <= 0:
            raise _core.OptionError("depth must be > 0")
        pending: deque[SessionFuture] = deque()
        done: queue.SimpleQueue[SessionFuture] = queue.SimpleQueue()

        def take() -> list:
            if ordered:
                return pending.popleft().result()
            first = done.get()
            pending.remove(first)
            return first.result()

        try:
            for feed in feeds:
                pending.append(self.submit(output_names, feed))
                if not ordered:
                    pending[-1].add_done_callback(done.put)
                if len(pending) > depth:
                    yield take()
            while pending:
                yield take()
        finally:
            for future in pending:
                future.cancel()

    # ---- ONNX Runtime's other names ------------------------------------------------------------------------------

    def io_binding(self) -> SessionIOBinding:
        return SessionIOBinding(self)

    def run_with_iobinding(self, io_binding: SessionIOBinding, run_options: Any = None) -> None:
        """Runs on the memory of the binding. run_options mean nothing here."""
        if not io_binding._binding.belongs_to(self):
            raise _core.RknnError("IOBinding belongs to a different session")
        io_binding._binding.run()

    def enable_profiling(self, path: str | os.PathLike = "openrknn_trace.json") -> None:
        """From now on every task is recorded (the last 65536), for end_profiling."""
        self._trace_path = os.fspath(path)
        self.start_profiling()

    def end_profiling(self) -> str:
        """Writes a Chrome trace (chrome://tracing, Perfetto) and returns its path."""
        if self._trace_path is None:
            raise _core.RknnError("end_profiling: enable_profiling was not called")
        path, self._trace_path = self._trace_path, None
        with open(path, "w", encoding="utf-8") as file:
            file.write(self._end_profiling())
        return path

    def set_core_mode(self, mode: str) -> None:
        """Moves all workers to other cores between tasks: 'auto', 'all', '0', '1', '2', '0,1', '0,1,2'."""
        masks = {"auto": 0, "all": 0xFFFF, "0": 1, "1": 2, "2": 4, "0,1": 3, "0,1,2": 7}
        if mode not in masks:
            raise _core.OptionError(f"invalid core mode: {mode!r}, expected one of: {', '.join(masks)}")
        self._set_core_mask(masks[mode])


def get_available_providers() -> list[str]:
    return [PROVIDER]


def get_device() -> str:
    return "NPU"
