"""The names and shapes of docs/kernel-runtime.md, the protocol between the server and this kernel."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

PROTOCOL_VERSION = 1

METADATA_KEY = "taskweaver"
"""Where the request's and the reply's metadata carry what follows."""

LOG_MESSAGE = "taskweaver_log"
ARTIFACT_MESSAGE = "taskweaver_artifact"
BIND_REQUEST = "taskweaver_bind_request"
LOAD_PLUGIN_REQUEST = "taskweaver_load_plugin_request"
UNLOAD_PLUGIN_REQUEST = "taskweaver_unload_plugin_request"
TEST_PLUGIN_REQUEST = "taskweaver_test_plugin_request"

NO_OUTPUT = '""'
"""`output` of an execution without a value, as JSON text."""


@dataclass
class SessionFields:
    """What the server says of the session and the execution that a request belongs to."""

    session_id: str = ""
    env_id: str = "server"
    execution_id: str = ""
    execution_index: int = 0
    session_variables: dict[str, str] = field(default_factory=dict)


def read_session_fields(value: Any) -> SessionFields | None:
    """The fields of a request's metadata or of a `session` object; None where there are none.

    A field of the wrong type counts as absent: another client's mistake must not fail an execution.
    """
    if not isinstance(value, dict):
        return None
    fields = SessionFields()
    for name in ("session_id", "env_id", "execution_id"):
        if isinstance(value.get(name), str):
            setattr(fields, name, value[name])
    index = value.get("execution_index")
    if isinstance(index, int) and not isinstance(index, bool):
        fields.execution_index = index
    variables = value.get("session_variables")
    if isinstance(variables, dict):
        fields.session_variables = {
            name: text if isinstance(text, str) else json.dumps(text) for name, text in variables.items()
        }
    return fields
