"""Starts the fork server: `python taskweaver_fork_server.py [--preload MODULE ...]`, with its socket as file descriptor 3."""

import os
import sys


def main() -> None:
    """Serves until the other end of the socket is closed."""
    here = os.path.dirname(os.path.abspath(__file__))
    # The package is found first while it is imported and last afterwards, so that it shadows nothing of the user's.
    sys.path[:] = [here, *(entry for entry in sys.path if os.path.abspath(entry or ".") != here)]
    import taskweaver.plugin

    # A kernel finds modules in its own working directory, whatever that will be.
    sys.path[:] = ["", *sys.path[1:], sys.path[0]]
    from taskweaver.kernel.compatibility import obstacles

    if obstacles():
        sys.exit(f"kernels cannot be forked: {obstacles()}")
    from taskweaver.kernel.fork_server import serve

    serve(sys.argv[1:])


if __name__ == "__main__":
    main()
