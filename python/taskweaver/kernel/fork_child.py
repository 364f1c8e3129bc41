"""The first moments of a forked kernel: all that a fork must not share with its template is made new."""

from __future__ import annotations

import atexit
import json
import logging
import multiprocessing
import os
import signal
import socket
import sys
import uuid
from typing import Any

from . import limits
from .application import INLINE_BACKEND
from .launch import RunningKernel
from ..sandbox.wall import Wall, use_temporary_folder
from .renewal import change_environment, enter_directory, redirect_log, renew_random_state


def run(application: Any, request: dict[str, Any], channel: socket.socket) -> None:
    """Becomes the kernel that `request` asks for, tells that its sockets are bound, and serves until it is shut down."""
    # Before anything else: what the kernel allocates and starts from here on counts.
    limits.enter(request.get("limits") or {})
    request = read_rest(request)
    detach(request)
    if "sandbox" in request:
        raise_wall(application.kernel, request, channel)
    renew_identity(application)
    _renew_exit_handlers(application.kernel)
    enter_directory(application.kernel, request["cwd"])
    running = RunningKernel(application, request["connection"])
    running.start()
    try:
        channel.sendall(json.dumps({"ready": request["fork"]}).encode() + b"\n")
    except OSError:
        # The server has ended meanwhile, and no other knows of this kernel.
        running.channels.remove_files()
        raise
    channel.close()
    running.run()


def detach(request: dict[str, Any]) -> None:
    """Process group, signals, standard streams and environment as a program of its own would have them."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    redirect_log(request["log_file"], 1, 2)
    change_environment(request["env"], removes_others=True)


def read_rest(request: dict[str, Any]) -> dict[str, Any]:
    """What the template must not know, since all later kernels are its copies, lies in a file that is read once."""
    if "file" not in request:
        return request
    with open(request["file"], encoding="utf-8") as file:
        rest = json.load(file)
    os.unlink(request["file"])
    return {**request, **rest}


def raise_wall(kernel: Any, request: dict[str, Any], channel: socket.socket) -> None:
    """Goes behind the wall; where that takes a fork, this process tells of the kernel and ends."""
    wall = Wall(request["sandbox"])
    if request.get("forks_again"):
        try:
            pid = wall.raise_it()
        except OSError as error:
            channel.sendall(json.dumps({"fork_failed": request["fork"], "error": f"no wall: {error}"}).encode() + b"\n")
            os._exit(1)
        if pid:
            channel.sendall(json.dumps({"forked": request["fork"], "pid": pid}).encode() + b"\n")
            os._exit(0)
        os.setsid()
    else:
        wall.raise_it()
    use_temporary_folder(is_for_good=not request["sandbox"]["is_pooled"])
    kernel.wall = wall


def renew_identity(application: Any) -> None:
    """Identity and randomness of its own."""
    kernel = application.kernel
    session = kernel.session
    session.pid = kernel.process_id = os.getpid()
    session.session = str(uuid.uuid4())
    kernel.ident = str(uuid.uuid4())
    kernel.shell.displayhook.topic = kernel._topic("execute_result")
    # What the application itself sets where it is not set.
    kernel.shell.init_environment()
    os.environ.setdefault("MPLBACKEND", INLINE_BACKEND)
    multiprocessing.current_process().authkey = os.urandom(32)
    renew_random_state()


def _renew_exit_handlers(kernel: Any) -> None:
    """Those of the template would run in each kernel, and remove what all of them share."""
    atexit._clear()
    atexit.register(logging.shutdown)
    atexit.register(kernel.shell.atexit_operations)
    utilities = sys.modules.get("multiprocessing.util")
    if utilities is not None:
        atexit.register(utilities._exit_function)
