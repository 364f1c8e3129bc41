"""A client in Python with nothing but the standard library: a session, code, a stream read line by line."""

import json
import os
import urllib.request

URL = os.environ.get("TASKWEAVER_URL", "http://localhost:8000") + "/api/v1"
HEADERS = {"Content-Type": "application/json"}
if "TASKWEAVER_API_KEY" in os.environ:
    HEADERS["X-API-Key"] = os.environ["TASKWEAVER_API_KEY"]


def call(method, path, body=None):
    """Sends a request; returns the open response. Errors raise urllib.error.HTTPError with the sentence in its body."""
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(URL + path, data, HEADERS, method=method))


def events(path):
    """Yields (event, data) of a stream of Server-Sent Events until it ends."""
    event = None
    for line in call("GET", path):
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            event = value
        elif field == "data":
            yield event, json.loads(value)


call("POST", "/sessions", {"session_id": "python-client"})
try:
    code = "import time\nfor i in range(3):\n    print(i)\n    time.sleep(0.1)\n'done'"
    call("POST", "/sessions/python-client/execute", {"exec_id": "loop", "code": code, "stream": True})
    text = ""
    for event, data in events("/sessions/python-client/execute/loop/stream"):
        if event == "output":
            print(data["text"], end="", flush=True)
            text += data["text"]
        elif event == "result":
            print("result:", data["output"])
            assert data["is_success"] and data["output"] == "done"
    assert text == "0\n1\n2\n"
finally:
    call("DELETE", "/sessions/python-client")
