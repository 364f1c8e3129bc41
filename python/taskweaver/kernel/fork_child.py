"""The first moments of a forked kernel: all that a fork must not share with its template is made new."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import uuid
from typing import Any

from .launch import RunningKernel
from .renewal import redirect_log, renew_random_state

_DEFAULT_UMASK = 0o022


def run(application: Any, request: dict[str, Any], channel: socket.socket) -> None:
    """Becomes the kernel that `request` asks for, tells that its sockets are bound, and serves until it is shut down."""
    detach(request)
    renew(application)
    running = RunningKernel(application, request["connection"])
    channel.sendall(json.dumps({"ready": request["fork"]}).encode() + b"\n")
    channel.close()
    running.run()


def detach(request: dict[str, Any]) -> None:
    """Process group, signals, standard streams, directory and environment as a program of its own would have them."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    redirect_log(request["log_file"], 1, 2)
    os.umask(_DEFAULT_UMASK)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])


def renew(application: Any) -> None:
    """Identity and randomness of its own."""
    kernel = application.kernel
    session = kernel.session
    session.pid = os.getpid()
    session.session = str(uuid.uuid4())
    kernel.process_id = os.getpid()
    kernel.working_directory = os.getcwd()
    kernel.ident = str(uuid.uuid4())
    multiprocessing.current_process().authkey = os.urandom(32)
    renew_random_state()
