"""Tests of plugins in a kernel."""

import os

import pytest

SESSION = {"session_id": "my-session", "env_id": "lab", "session_variables": {"color": "red"}}

CLASS_FORM = """
from taskweaver.plugin import Plugin, register_plugin, test_plugin

@register_plugin
class Greeter(Plugin):
    def __call__(self, name):
        self.log("info", f"greeting {name}")
        self.ctx.add_artifact("note", "note.txt", "txt", f"Hello {name}")
        return f"{self.config['word']} {name}", self.ctx.get_session_var("color")

@test_plugin(name="greets", description="It greets.")
def greets(plugin):
    assert plugin("x")[0] == "Hello x"

@test_plugin()
def fails(plugin):
    "It fails."
    raise ValueError("as it should")
"""

FUNCTION_FORM = """
from taskweaver.plugin import register_plugin

@register_plugin
def add(a, b):
    return a + b
"""


def load(kernel, name, code, config=None):
    content = {"name": name, "code": code, "config": config or {}, "session": SESSION}
    return kernel.request("taskweaver_load_plugin_request", content)


def fields(**more):
    return {**SESSION, "execution_id": "e-7", "execution_index": 7, **more}


def test_a_loaded_plugin_is_called_by_its_name(kernel):
    assert load(kernel, "greet", CLASS_FORM, {"word": "Hello"}).reply == {"status": "ok"}
    outcome = kernel.run("greet('you')", fields())

    assert outcome.output == ["Hello you", "red"]
    assert "greet" not in outcome.variables
    [log] = outcome.of("taskweaver_log")
    assert log.content == {"level": "info", "tag": "Plugin-greet", "message": "greeting you"}
    [artifact] = outcome.of("taskweaver_artifact")
    content = artifact.content
    assert content["file_name"] == f"{content['id']}_note.txt"
    assert content["id"].startswith("obj_7_txt_")
    assert (content["name"], content["type"], content["original_name"]) == ("note", "txt", "note.txt")
    assert (content["preview"], content["mime_type"]) == ("Hello you", "text/plain")
    with open(os.path.join(kernel.cwd, content["file_name"]), encoding="utf-8") as file:
        assert file.read() == "Hello you"


def test_each_call_of_a_function_plugin_is_logged(kernel):
    load(kernel, "plus", FUNCTION_FORM)
    outcome = kernel.run("plus(1, b=2)", fields())

    assert outcome.output == 3
    assert [it.content["message"] for it in outcome.of("taskweaver_log")] == ["calling function add"]


def test_files_stay_in_the_sessions_directory_wherever_the_code_goes(kernel):
    load(kernel, "greet", CLASS_FORM, {"word": "Hello"})
    outcome = kernel.run("import os\nhome = os.getcwd()\nos.chdir('/')\ngreet('a')\nos.chdir(home)", fields())

    assert os.path.exists(os.path.join(kernel.cwd, outcome.of("taskweaver_artifact")[0].content["file_name"]))


def test_a_path_is_published_when_its_file_is_written(kernel):
    code = """
from taskweaver.plugin import Plugin, register_plugin
@register_plugin
class Writer(Plugin):
    def __call__(self):
        id, path = self.ctx.create_artifact_path("n", "data.bin", "file", "described")
        with open(path, "wb") as file:
            file.write(b"12")
        return id
"""
    load(kernel, "writer", code)
    outcome = kernel.run("writer()", fields())
    [artifact] = outcome.of("taskweaver_artifact")

    assert artifact.content["id"] == outcome.output
    assert artifact.content["preview"] == "described"
    assert artifact.content["mime_type"] == "application/octet-stream"


def test_the_context_knows_session_and_execution(kernel):
    load(kernel, "who", "from taskweaver.plugin import *\n@register_plugin\nclass W(Plugin):\n def __call__(self): return self.ctx.session_id, self.ctx.execution_id, self.ctx.env_id, self.name, self.config", {"a": 1})

    assert kernel.run("who()", fields()).output == ["my-session", "e-7", "lab", "who", {"a": 1}]


def test_tests_of_a_plugin_are_run(kernel):
    load(kernel, "greet", CLASS_FORM, {"word": "Hello"})
    reply = kernel.request("taskweaver_test_plugin_request", {"name": "greet", "session": SESSION}).reply

    passed, failed = reply["tests"]
    assert passed == {"name": "greets", "description": "It greets.", "is_success": True, "error": None}
    assert (failed["name"], failed["description"], failed["is_success"]) == ("fails", "It fails.", False)
    assert "ValueError: as it should" in failed["error"]


def test_loading_again_replaces(kernel):
    load(kernel, "plus", FUNCTION_FORM)
    load(kernel, "plus", FUNCTION_FORM.replace("a + b", "a * b"))

    assert kernel.run("plus(4, 5)", fields()).output == 20


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = 1", "plugin bad registers nothing: put @register_plugin before its class or function"),
        ("def (", "the plugin is not valid Python: invalid syntax (line 1)"),
        ("1 / 0", "the plugin raised ZeroDivisionError while it was loaded: division by zero"),
        ("raise SystemExit(3)", "the plugin raised SystemExit while it was loaded: 3"),
        (FUNCTION_FORM + FUNCTION_FORM, "plugin bad registers more than one plugin: add, add"),
        (
            "from taskweaver.plugin import *\n@register_plugin\nclass P(Plugin):\n def __init__(self, *a): raise KeyError('k')",
            "the plugin raised KeyError while it was loaded: 'k'",
        ),
    ],
)
def test_a_plugin_that_cannot_be_loaded_says_why_and_harms_nothing(kernel, code, reason):
    load(kernel, "bad", FUNCTION_FORM)
    reply = load(kernel, "bad", code).reply

    assert reply["status"] == "error"
    assert reply["evalue"] == reason
    assert isinstance(reply["traceback"], list)
    assert kernel.run("bad(1, 2)", fields()).output == 3


def test_an_unloaded_plugin_is_gone(kernel):
    load(kernel, "plus", FUNCTION_FORM)
    assert kernel.request("taskweaver_unload_plugin_request", {"name": "plus"}).reply == {"status": "ok"}

    assert kernel.run("plus", fields()).reply["ename"] == "NameError"
    reply = kernel.request("taskweaver_unload_plugin_request", {"name": "plus"}).reply
    assert (reply["status"], reply["evalue"]) == ("error", "no plugin plus is loaded")


def test_a_plugin_that_was_deleted_or_reset_is_back_in_the_next_execution(kernel):
    load(kernel, "plus", FUNCTION_FORM)
    kernel.run("del plus")
    assert kernel.run("plus(1, 1)", fields()).output == 2
    kernel.run("%reset -f")
    assert kernel.run("plus(1, 1)", fields()).output == 2


def test_what_a_plugin_prints_while_loading_belongs_to_the_request(kernel):
    outcome = load(kernel, "loud", "print('loading')\n" + FUNCTION_FORM)

    assert outcome.stream("stdout") == "loading\n"


def test_an_interrupt_ends_loading(kernel):
    request = kernel.send(
        "taskweaver_load_plugin_request", {"name": "slow", "code": "print('x')\nwhile True: pass", "session": SESSION}
    )
    kernel.wait(request, until=lambda it: it.kind == "stream")
    kernel.interrupt()
    outcome = kernel.wait(request)

    assert outcome.reply["status"] == "error"
    assert outcome.reply["ename"] == "KeyboardInterrupt"
