"""Runs the code of an execution: synchronous code at once, code with a top-level `await` in the event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Generator

from .display import safe_name, safe_text
from .signal_gate import gate

if TYPE_CHECKING:
    from .kernel import TaskWeaverKernel

_MOST_NAMED_INPUTS = 100


class CellRunner:
    """Runs one cell at a time."""

    def __init__(self, kernel: TaskWeaverKernel) -> None:
        self._kernel = kernel
        self._waiting_cell: _WaitingCell | None = None
        self._task: asyncio.Task[Any] | None = None

    async def run(self, content: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
        """Runs `content["code"]` and returns the content of the reply."""
        kernel = self._kernel
        shell = kernel.shell
        kernel.repair()
        shell._last_traceback = None
        shell._last_traceback_during_displayhook = False
        shell.displayhook.msg = None
        kernel._forward_input(bool(content.get("allow_stdin", False)))
        try:
            result = await self._run(content, metadata)
        finally:
            kernel._restore_input()
            gate.forget_interrupts()
        _forget_old_input(shell)
        if os.getpid() != kernel.process_id:
            _end_child(kernel, result)
        error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
        reply: dict[str, Any] = {"status": "ok"}
        if error is not None or shell._last_traceback_during_displayhook:
            reply = {
                "status": "error",
                "traceback": shell._last_traceback or [],
                "ename": safe_name(type(error)),
                "evalue": safe_text(error),
            }
        reply["execution_count"] = shell.execution_count - 1
        expressions = content.get("user_expressions")
        if expressions and reply["status"] == "ok":
            reply["user_expressions"] = gate.run_user_code(shell.user_expressions, expressions)
        else:
            reply["user_expressions"] = {}
        reply["payload"] = shell.payload_manager.read_payload()
        shell.payload_manager.clear_payload()
        return reply

    def throw(self, error: BaseException) -> bool:
        """Lets `error` come out of what the running cell awaits; False if none awaits anything."""
        if self._waiting_cell is None or self._task is None or self._task.done():
            return False
        self._waiting_cell.thrown = error
        self._task.cancel()
        return True

    async def _run(self, content: dict[str, Any], metadata: dict[str, Any]) -> Any:
        shell = self._kernel.shell
        code = content["code"]
        silent = bool(content.get("silent", False))
        prepared = _Cell(shell, code, silent, content.get("store_history", not silent), metadata)
        try:
            if not gate.run_user_code(prepared.needs_event_loop):
                return gate.run_user_code(prepared.run)
            result = None
            self._waiting_cell = _WaitingCell(prepared.coroutine())
            self._task = asyncio.ensure_future(self._waiting_cell.outcome())
            try:
                result = await self._task
            finally:
                self._waiting_cell = self._task = None
                gate.run_user_code(prepared.after, result)
            return result
        except BaseException as error:  # an interrupt in between, or a hook of the user's
            return _failure(shell, error)


class _Cell:
    """One cell on its way through IPython."""

    def __init__(self, shell: Any, code: str, silent: bool, store_history: bool, metadata: dict[str, Any]) -> None:
        self._shell = shell
        self._code = code
        self._silent = silent
        self._store_history = store_history
        self._cell_id = metadata.get("cellId")
        self._transformed = code
        self._transform_error: Any = None

    def needs_event_loop(self) -> bool:
        """Transforms the code and tells whether it awaits something."""
        try:
            self._transformed = self._shell.transform_cell(self._code)
        except Exception:
            self._transform_error = sys.exc_info()
        if "await" not in self._transformed and "async" not in self._transformed:
            return False
        return bool(
            self._shell.should_run_async(
                self._code, transformed_cell=self._transformed, preprocessing_exc_tuple=self._transform_error
            )
        )

    def coroutine(self) -> Coroutine[Any, Any, Any]:
        """What runs the cell and returns IPython's ExecutionResult."""
        return self._shell.run_cell_async(  # type: ignore[no-any-return]
            self._code,
            store_history=self._store_history,
            silent=self._silent,
            transformed_cell=self._transformed,
            preprocessing_exc_tuple=self._transform_error,
            cell_id=self._cell_id,
        )

    def run(self) -> Any:
        """Runs a cell that awaits nothing."""
        result = None
        coroutine = self.coroutine()
        try:
            coroutine.send(None)
            raise RuntimeError("a cell without await waited")
        except StopIteration as stop:
            result = stop.value
            return result
        finally:
            coroutine.close()
            self.after(result)

    def after(self, result: Any) -> None:
        """Lets IPython's hooks run; the one that shows the figures is among them."""
        self._shell.events.trigger("post_execute")
        if not self._silent:
            self._shell.events.trigger("post_run_cell", result)


class _WaitingCell:
    """Awaits a cell. Each of its steps runs with the gate open, and `thrown` comes out of its current await."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self.thrown: BaseException | None = None

    async def outcome(self) -> Any:
        """The cell's result."""
        return await self

    def __await__(self) -> Generator[Any, None, Any]:
        step: Callable[..., Any] = self._coroutine.send
        argument: Any = None
        while True:
            try:
                awaited = gate.run_user_code(step, argument)
            except StopIteration as stop:
                return stop.value
            try:
                yield awaited
                step, argument = self._coroutine.send, None
            except BaseException as error:
                if self.thrown is not None and isinstance(error, asyncio.CancelledError):
                    error, self.thrown = self.thrown, None
                    task = asyncio.current_task()
                    if task is not None and hasattr(task, "uncancel"):
                        task.uncancel()
                step, argument = self._coroutine.throw, error


def _forget_old_input(shell: Any) -> None:
    """IPython names each cell's source (`_i1`, `_i2`, ...) for ever; `In` has them all the same."""
    name = f"_i{shell.execution_count - 1 - _MOST_NAMED_INPUTS}"
    shell.user_ns.pop(name, None)
    shell.user_ns_hidden.pop(name, None)


def _failure(shell: Any, error: BaseException) -> Any:
    lines = [f"{safe_name(type(error))}: {safe_text(error)}".rstrip(": ")]
    shell._showtraceback(type(error), error, lines)
    return SimpleNamespace(error_before_exec=None, error_in_exec=error)


def _end_child(kernel: TaskWeaverKernel, result: Any) -> None:
    """Ends a fork of the kernel that came out of its cell; the sockets and the session are its parent's."""
    kernel.output.in_child = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    error = result.error_in_exec
    code = error.code if isinstance(error, SystemExit) else int(error is not None)
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)
