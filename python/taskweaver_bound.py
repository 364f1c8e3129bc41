"""Runs a command that ends with whoever asked for it: `python taskweaver_bound.py PROGRAM ARGUMENT...`, whose standard input is held open.

A killed process cannot end what it has started, but the pipes that it held close.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Runs the command in a group of its own, and kills the group when standard input ends or a signal to end comes."""
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)

    def end(*_: object) -> None:
        if os.name == "posix":
            try:
                os.killpg(program.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        else:
            program.kill()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)

    def watch() -> None:
        while os.read(0, 4096):
            pass
        end()

    threading.Thread(target=watch, daemon=True).start()
    code = program.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
