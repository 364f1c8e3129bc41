"""The shell of the kernel, and its way of publishing values, displays and tracebacks."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import warnings
from types import TracebackType
from typing import Any

from IPython.core.autocall import ExitAutocall
from IPython.core.error import UsageError
from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.zmqshell import ZMQDisplayPublisher, ZMQInteractiveShell
from traitlets import Instance, Type, default

from .requests import current_request
from .shell_name import known_as_ipykernels
from .signal_gate import gate

_PLAIN_TYPES = frozenset((int, float, bool, str, list, tuple, dict, set, frozenset, bytes, complex))
_ASSIGNMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign)
_LONGEST_HISTORY_CHARACTERS = 65_536

_OWN_FOLDER = os.path.dirname(__file__)


class _BelongsToRequest:
    """Gives what is published the header of the request that the calling code works for."""

    @property
    def parent_header(self) -> dict[str, Any]:
        return current_request().header

    @parent_header.setter
    def parent_header(self, value: Any) -> None:
        """ipykernel sets it for each message; the request is known from elsewhere."""

    def set_parent(self, parent: Any) -> None:
        """As the setter above."""


class DisplayHook(_BelongsToRequest, ZMQShellDisplayHook):
    """Publishes the value of a cell and keeps its text for the reply."""

    keeps_value = True
    """Whether the value goes to `_` and `Out`. That of an assignment has a name, and lives as long as its name does."""

    def __call__(self, result: Any = None) -> None:
        """Takes the value of a cell."""
        super().__call__(result)
        pyplot = sys.modules.get("matplotlib.pyplot")
        figures = sys.modules.get("matplotlib.figure")
        if pyplot is not None and figures is not None and issubclass(type(result), figures.Figure):
            if not self.quiet():
                # All figures that are still open are shown at the end of the cell; this one has been.
                pyplot.close(result)

    def compute_format_data(self, result: Any) -> Any:
        """The value in all its forms. Of plain values there is one, unless the user has registered another."""
        formatters = self.shell.display_formatter.formatters
        if type(result) in _PLAIN_TYPES and not _has_rich_form(formatters, type(result)):
            text = formatters["text/plain"](result)
            return ({} if text is None else {"text/plain": text}), {}
        return super().compute_format_data(result)

    def update_user_ns(self, result: Any) -> None:
        """Keeps the value in `_` and `Out`."""
        if self.keeps_value:
            super().update_user_ns(result)

    def cull_cache(self) -> None:
        """Forgets the oldest values, without IPython's warning about it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            super().cull_cache()

    def log_output(self, format_dict: dict[str, Any]) -> None:
        """Keeps the text for the history. IPython would keep pictures as well, as long as the session lives."""
        text = format_dict.get("text/plain")
        if isinstance(text, str):
            self.shell.history_manager.output_hist_reprs[self.prompt_count] = text[:_LONGEST_HISTORY_CHARACTERS]
            if self.shell.logger.log_output:
                self.shell.logger.log_write(text, "output")

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Takes the value in all its forms."""
        text = format_dict.get("text/plain")
        current_request().result_text = text if isinstance(text, str) else None
        super().write_format_data(format_dict, md_dict)

    def quiet(self) -> bool:
        """Whether the cell ends in a semicolon."""
        lines = self.shell.history_manager.input_hist_parsed
        # IPython tokenizes the whole cell to find out; most cells have no semicolon at all.
        return bool(lines) and ";" in lines[-1] and super().quiet()

    def finish_displayhook(self) -> None:
        """Sends the value, after what was printed before."""
        message, self.msg = self.msg, None
        if message and message["content"]["data"] and self.session:
            self.shell.kernel.output.flush()
            for hook in self._hooks if hasattr(self, "_hooks") else ():
                message = hook(message)
                if message is None:
                    return
            self.session.send(self.pub_socket, message, ident=self.topic)


class DisplayPublisher(_BelongsToRequest, ZMQDisplayPublisher):
    """Publishes what `display` is given."""

    def _flush_streams(self) -> None:
        self.shell.kernel.output.flush()


class Exit(ExitAutocall):
    """`exit` and `quit`: they end the cell, as in a script; the kernel goes on."""

    def __call__(self, code: Any = None) -> None:
        raise SystemExit() if code is None else SystemExit(code)


@known_as_ipykernels
class Shell(ZMQInteractiveShell):
    """IPython's shell as it runs in this kernel."""

    displayhook_class = Type(DisplayHook)
    display_pub_class = Type(DisplayPublisher)
    exiter = Instance(Exit)

    @default("exiter")
    def _default_exiter(self) -> Exit:
        return Exit(self)

    def run_ast_nodes(self, nodelist: list[ast.stmt], *args: Any, **kwargs: Any) -> Any:
        """Runs the statements of a cell."""
        self.displayhook.keeps_value = not (nodelist and isinstance(nodelist[-1], _ASSIGNMENTS))
        return super().run_ast_nodes(nodelist, *args, **kwargs)

    @property
    def parent_header(self) -> dict[str, Any]:
        """The message that the calling code works for."""
        return current_request().message

    @parent_header.setter
    def parent_header(self, value: Any) -> None:
        """ipykernel sets it for each message; the request is known from elsewhere."""

    def set_parent(self, parent: Any) -> None:
        """As the setter above."""

    def get_parent(self) -> dict[str, Any]:
        """The message that the calling code works for."""
        return current_request().message

    def init_environment(self) -> None:
        """Pagers and colours are for terminals; what child processes print is text."""
        os.environ["PAGER"] = "cat"
        os.environ["GIT_PAGER"] = "cat"

    def system_piped(self, cmd: str) -> None:
        """Runs a shell command, as `!cmd` does. Its streams are those of the execution, and it may go on after it."""
        self.user_ns["_exit_code"] = subprocess.call(self.var_expand(cmd, depth=1), shell=True)

    system = system_piped

    def enable_gui(self, gui: Any = None) -> None:
        """There is no display to show windows on."""
        if gui not in (None, "", "inline", "asyncio"):
            raise UsageError(f"this kernel has no display, so the event loop {gui!r} cannot be used")

    def reset(self, *args: Any, **kwargs: Any) -> None:
        """Clears the namespace; what the kernel puts into it comes back."""
        super().reset(*args, **kwargs)
        kernel = getattr(self, "kernel", None)
        if kernel is not None:
            kernel.fill_namespace()

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        etype, value, tb = super()._get_exc_info(exc_tuple)
        cut_own_frames(tb)
        return etype, value, tb

    def _format_exception_for_storage(self, *_args: Any, **_kwargs: Any) -> Any:
        """IPython keeps tracebacks for `%notebook`: here the one that was shown, rather than a second one."""
        return self._last_traceback or []

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.kernel.output.flush()
        if getattr(self.displayhook, "msg", None) is not None:
            self._last_traceback_during_displayhook = True
        content = {"traceback": list(stb), "ename": safe_name(etype), "evalue": safe_text(evalue)}
        self.kernel.session.send(
            self.kernel.iopub_socket,
            "error",
            content,
            parent=current_request().header,
            ident=self.kernel._topic("error"),
        )
        self._last_traceback = stb


def cut_own_frames(tb: TracebackType | None) -> None:
    """Ends a traceback where nothing but the kernel's own code follows: a signal's handler says nothing about the user's."""
    last = tb
    while tb is not None:
        if os.path.dirname(tb.tb_frame.f_code.co_filename) != _OWN_FOLDER:
            last = tb
        tb = tb.tb_next
    if last is not None:
        last.tb_next = None


def _has_rich_form(formatters: dict[str, Any], kind: type) -> bool:
    return any(
        kind in formatter.type_printers or object in formatter.type_printers
        for form, formatter in formatters.items()
        if form != "text/plain"
    )


def safe_name(kind: Any) -> str:
    """The name of an exception's class."""
    return str(getattr(kind, "__name__", kind))


def safe_text(error: Any) -> str:
    """An exception's message, also of one whose `__str__` fails."""
    try:
        return str(gate.run_user_code(str, error) if gate.depth else str(error))
    except BaseException as failure:
        return f"<{type(error).__name__} whose __str__ raised {type(failure).__name__}>"
