"""A plain FastAPI server over stock kernels, which wraps each execution in two more, as execution services classically do.

The one before tells the kernel which execution comes, the one after collects variables and artifacts. It says its port in one
JSON line on stdout and ends when stdin does.
"""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, HTTPException
from jupyter_client import AsyncKernelManager
from pydantic import BaseModel

TIMEOUT_SECONDS = 120

SET_UP = """
import json as _json, types as _types
_execution = {"id": None, "index": 0, "artifacts": []}
def _begin(execution_id, index):
    _execution.update(id=execution_id, index=index, artifacts=[])
def _finish(namespace):
    variables = [
        (name, repr(value)[:500])
        for name, value in list(namespace.items())
        if not name.startswith("_") and name not in ("In", "Out", "exit", "quit", "get_ipython", "open")
        and not isinstance(value, (_types.ModuleType, _types.FunctionType, type))
    ]
    print(_json.dumps({"id": _execution["id"], "variables": variables, "artifacts": _execution["artifacts"]}))
"""


class CreateRequest(BaseModel):
    session_id: str


class ExecuteRequest(BaseModel):
    exec_id: str
    code: str


class Session:
    """One kernel and its executions, one at a time."""

    def __init__(self):
        self.manager = AsyncKernelManager(kernel_name="python3")
        self.client = None
        self.lock = asyncio.Lock()
        self.execution_index = 0

    async def open(self):
        await self.manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.client = self.manager.client()
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=TIMEOUT_SECONDS)
        await self.run(SET_UP, is_ours=True)

    async def execute(self, execution_id, code):
        async with self.lock:
            self.execution_index += 1
            await self.run(f"_begin({execution_id!r}, {self.execution_index})", is_ours=True)
            result = await self.run(code)
            collected = await self.run("_finish(globals())", is_ours=True)
        after = json.loads("".join(collected["stdout"]))
        return {"execution_id": execution_id, **result, "variables": after["variables"], "artifact": after["artifacts"]}

    async def run(self, code, is_ours=False):
        """Runs code to its reply and its idle status; returns what it gave."""
        result = {"is_success": True, "output": "", "stdout": [], "stderr": [], "error": None}
        message_id = self.client.execute(code, store_history=not is_ours)
        while True:
            message = await self.client.get_iopub_msg(timeout=TIMEOUT_SECONDS)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                result[content["name"]].append(content["text"])
            elif kind == "execute_result":
                result["output"] = content["data"].get("text/plain", "")
            elif kind == "error":
                result.update(is_success=False, error="\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                break
        while (await self.client.get_shell_msg(timeout=TIMEOUT_SECONDS))["parent_header"].get("msg_id") != message_id:
            pass
        return result

    async def close(self):
        if self.client:
            self.client.stop_channels()
        await self.manager.shutdown_kernel(now=True)


sessions = {}


@asynccontextmanager
async def lifespan(_app):
    yield
    await asyncio.gather(*(session.close() for session in sessions.values()), return_exceptions=True)


app = FastAPI(lifespan=lifespan)


@app.post("/api/v1/sessions", status_code=201)
async def create(request: CreateRequest):
    session = Session()
    try:
        await session.open()
    except BaseException:
        await session.close()
        raise
    sessions[request.session_id] = session
    return {"session_id": request.session_id, "status": "created"}


@app.post("/api/v1/sessions/{session_id}/execute")
async def execute(session_id: str, request: ExecuteRequest):
    if session_id not in sessions:
        raise HTTPException(404)
    return await sessions[session_id].execute(request.exec_id, request.code)


@app.delete("/api/v1/sessions/{session_id}")
async def delete(session_id: str):
    if session_id not in sessions:
        raise HTTPException(404)
    await sessions.pop(session_id).close()
    return {"session_id": session_id, "status": "stopped"}


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))

    def end_with_stdin():
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=end_with_stdin, daemon=True).start()
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    server.run(sockets=[listener])


main()
