"""Starts a program behind a wall: `python taskweaver_sandbox.py PLAN PROGRAM ARGUMENT...`; `--probe` tells as JSON what this machine can do."""

import json
import os
import signal
import sys
from typing import NoReturn


def main() -> None:
    """Becomes the program, or waits for it and ends as it has ended."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [here, *(entry for entry in sys.path if os.path.abspath(entry or ".") != here)]
    from taskweaver.sandbox import readable
    from taskweaver.sandbox.probe import probe
    from taskweaver.sandbox.wall import Wall

    if sys.argv[1:] == ["--probe"]:
        print(json.dumps(probe()))
        return
    plan, program = json.loads(sys.argv[1]), sys.argv[2:]
    plan["read"] += readable.program_paths(program[0])
    pid = Wall(plan).raise_it()
    if pid:
        _end_like(pid)
    os.chdir(plan["cwd"])
    os.execvp(program[0], program)


def _end_like(pid: int) -> NoReturn:
    # What is sent to the group is for the program, which is in it, too.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
