"""What the fuzzer of the HTTP surface is told beside the OpenAPI document: whom to talk to, and what may be refused although it fits the schema."""

import base64
import json
import os
import re

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.engine import observations

# A session that is there to be talked to, and an execution of it that is done.
SESSION = os.environ["FUZZ_SESSION"]
EXECUTION = os.environ["FUZZ_EXECUTION"]
# One that must be left alone, as it is to be there with its variables in the end.
KEPT = os.environ["FUZZ_KEPT"]
# Whatever working directory is asked for is made; below here nobody minds.
FOLDER = os.environ["FUZZ_FOLDER"]

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
# What no schema says: names that lead out of a folder, text that is not strict base64, kernels that are not installed.
BEYOND_SCHEMAS = {"invalid_path", "invalid_base64", "unknown_kernel", "idempotency_mismatch"}


same_origin_path = observations._same_origin_path


def same_origin_path_of_any_text(value, origin):
    """What it made up itself and gets back, such as `http://[`, need not be an address; it ends on that."""
    try:
        return same_origin_path(value, origin)
    except ValueError:
        return None


observations._same_origin_path = same_origin_path_of_any_text


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """The generator cannot build identifiers of all scripts: it gets those of ASCII."""
    narrow(raw_schema)


def narrow(part):
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        narrow(value)
    if isinstance(part, dict) and isinstance(part.get("pattern"), str) and "XID_Start" in part["pattern"]:
        part["pattern"] = "^plugin_[A-Za-z0-9_]{1,20}$"


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Every second valid id becomes one that is known, except where the session itself would be gone."""
    operation = context.operation
    if not path_parameters or (operation.method.upper() == "DELETE" and operation.path.endswith("{session_id}")):
        return path_parameters
    known = {"session_id": SESSION, "exec_id": EXECUTION}
    return {name: known.get(name, value) if is_replaced(value) else value for name, value in path_parameters.items()}


@schemathesis.hook
def before_call(context, case, kwargs):
    """What a chain of operations has found in the list of sessions it would end, or give a fresh kernel."""
    session = case.path_parameters.get("session_id") if case.path_parameters else None
    if session == KEPT or (session == SESSION and case.method.upper() == "DELETE" and case.operation.path.endswith("{session_id}")):
        case.path_parameters["session_id"] = "nobody"
        # Else it would be taken for the resource that an earlier answer has named, which must be there.
        getattr(case._override, "path_parameters", {}).pop("session_id", None)


def is_replaced(value):
    return isinstance(value, str) and ID.match(value) is not None and len(value) % 2 == 1


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("cwd"), str) and body["cwd"].startswith("/"):
        return {**body, "cwd": FOLDER + body["cwd"]}
    if "/leases/" in context.operation.path and isinstance(body.get("seconds"), float) and 0 < body["seconds"] < 60:
        # One that has run out is not there any more, as it should be.
        return {**body, "seconds": 60}
    content = body.get("content")
    if context.operation.path.endswith("/files") and isinstance(content, str) and body.get("encoding") != "text" and len(content) % 2 == 1:
        return {**body, "content": base64.b64encode(content.encode("utf-8", "surrogatepass")).decode()}
    return body


@schemathesis.check
def accepted_where_it_fits(ctx, response, case):
    """What fits the schema is refused for what no schema says only."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 422:
        return
    code = json.loads(response.content)["code"]
    if code not in BEYOND_SCHEMAS:
        raise Failure(operation=case.operation.label, title="Refused although it fits the schema", message=f"code {code}: {response.text[:500]}")
