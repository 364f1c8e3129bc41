"""A stock ipykernel under jupyter_client, told what to measure by JSON lines on stdin; each is answered by one JSON line on stdout.

The clock is read here, beside jupyter_client, so that the benchmark's own process is no part of what is measured.
"""

import json
import subprocess
import sys
import time

from jupyter_client.manager import KernelManager

TIMEOUT_SECONDS = 120


class StockKernel:
    """One kernel, started as jupyter_client starts any, with its channels open."""

    def __init__(self):
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.client = self.manager.client()
        self.client.start_channels()
        try:
            self.client.wait_for_ready(timeout=TIMEOUT_SECONDS)
        except BaseException:
            self.close()
            raise

    def run(self, code):
        """Runs code to its reply and its idle status; returns the seconds that it took."""
        started = time.perf_counter()
        message_id = self.client.execute(code)
        while True:
            reply = self.client.get_shell_msg(timeout=TIMEOUT_SECONDS)
            if reply["parent_header"].get("msg_id") == message_id:
                break
        while True:
            message = self.client.get_iopub_msg(timeout=TIMEOUT_SECONDS)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        seconds = time.perf_counter() - started
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"the code failed: {reply['content'].get('evalue')}")
        return seconds

    def print_latencies(self, code):
        """Runs code that prints the monotonic clock's nanoseconds, a number a line; returns the seconds until each line was here.

        Reads iopub first: to wait for the reply would hold up the output.
        """
        latencies = []
        message_id = self.client.execute(code)
        while True:
            message = self.client.get_iopub_msg(timeout=TIMEOUT_SECONDS)
            arrived = time.monotonic_ns()
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "stream":
                latencies += [(arrived - int(line)) / 1e9 for line in message["content"]["text"].split()]
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while self.client.get_shell_msg(timeout=TIMEOUT_SECONDS)["parent_header"].get("msg_id") != message_id:
            pass
        return latencies

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def cold_start(code):
    """Starts a kernel, runs code in it and ends it; returns the seconds from the start to the code's end."""
    started = time.perf_counter()
    kernel = StockKernel()
    try:
        kernel.run(code)
        return time.perf_counter() - started
    finally:
        kernel.close()


def main():
    kernel = None
    try:
        # Not `for line in stdin`, which reads ahead. An empty line is the end of the benchmark's process.
        while line := sys.stdin.readline():
            order = json.loads(line)
            if order["command"] == "cold_start":
                answer = [cold_start(order["code"])]
            else:
                kernel = kernel or StockKernel()
                if order["command"] == "run":
                    answer = [kernel.run(order["code"]) for _ in range(order["count"])]
                elif order["command"] == "print_latencies":
                    answer = kernel.print_latencies(order["code"])
                else:
                    answer = []
            print(json.dumps({"seconds": answer}), flush=True)
    finally:
        if kernel:
            kernel.close()


main()
