"""ipykernel's application with this kernel in it, split so that nothing that a fork cannot share is made early."""

from __future__ import annotations

import os
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from jupyter_client.session import Session
from traitlets import Type, default

from .configuration import required_configuration
from .kernel import TaskWeaverKernel
from .output import Output
from .publisher import Publisher
from .wire_session import WireSession

INLINE_BACKEND = "module://matplotlib_inline.backend_inline"


class KernelApplication(IPKernelApp):
    """Reads the command line and makes the kernel. Sockets and threads are made by `launch.RunningKernel`.

    It reads neither configuration files nor startup files of an IPython profile: an agent's code behaves alike for
    every user of a machine.
    """

    name = "taskweaver-kernel"
    kernel_class = Type(TaskWeaverKernel, klass="ipykernel.kernelbase.Kernel").tag(config=True)

    @default("session")
    def _default_session(self) -> Session:
        return WireSession(parent=self)

    def initialize(self, argv: Any = None) -> None:
        """Prepares the kernel."""
        self.parse_command_line(argv)
        self.update_config(required_configuration())
        self.init_profile_dir()
        self.init_pdb()
        self.init_kernel()
        self.init_path()
        self.init_shell()
        self.init_gui_pylab()
        self.init_extensions()
        self.init_code()

    def init_kernel(self) -> None:
        """Makes the kernel, still without connections."""
        publisher = Publisher(self.session)
        self.session.iopub = publisher
        self.kernel = self.kernel_class.instance(  # type: ignore[attr-defined]
            parent=self,
            session=self.session,
            iopub_socket=publisher,
            output=Output(self.session, publisher, publisher.waiting, publisher.room),
            log=self.log,
            profile_dir=self.profile_dir,
            user_ns=self.user_ns,
        )

    def init_gui_pylab(self) -> None:
        """Figures appear in the results; there is no window to show them in."""
        os.environ.setdefault("MPLBACKEND", INLINE_BACKEND)
        super().init_gui_pylab()

    def _run_startup_files(self) -> None:
        """None; see above."""


