"""Tests of executing code and of what the reply says."""

import json

import pytest


def test_the_reply_carries_output_and_variables(kernel):
    outcome = kernel.run("answer = 42")

    assert outcome.reply["status"] == "ok"
    assert outcome.metadata["taskweaver"]["output"] == "42"
    assert outcome.variables["answer"] == "42"


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("1 + 1", 2),
        ("'a'", "a"),
        ("x = (1, [2])", [1, [2]]),
        ("3.0", 3.0),
        ("1;", ""),
        ("None", ""),
        ("pass", ""),
        ("", ""),
        ("# only a comment", ""),
        ("for i in range(3): i", ""),
        ("class S(str): pass\nS('text')", "text"),
        ("float('nan')", "nan"),
        ("b'a'", "b'a'"),
        ("'\\ud800'", "'\\ud800'"),
        ("%time 7", 7),
        ("await __import__('asyncio').sleep(0, 'waited')", "waited"),
        ("x = 5; x += 1", 6),
        ("x: int = 9", 9),
    ],
)
def test_the_last_value_is_the_output(kernel, code, output):
    assert kernel.run(code).output == output


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("3.0", "3.0"),
        ("x = (1, 2)", "(1, 2)"),
        ("'a'", "'a'"),
        ("''", "''"),
        ("None", None),
        ("float('nan')", None),
    ],
)
def test_the_text_of_the_last_value_is_told_where_its_json_is_another(kernel, code, text):
    assert kernel.run(code).metadata["taskweaver"].get("output_text") == text


def test_libraries_see_a_notebook_by_the_class_of_the_shell(kernel):
    outcome = kernel.run("shell = type(get_ipython()); f'{shell.__module__}.{shell.__name__}'")

    assert outcome.output == "ipykernel.zmqshell.ZMQInteractiveShell"


def test_an_error_is_answered_with_output_and_variables_too(kernel):
    outcome = kernel.run("before = 1\n1 / 0")

    assert outcome.reply["status"] == "error"
    assert outcome.reply["ename"] == "ZeroDivisionError"
    assert outcome.output == ""
    assert outcome.variables["before"] == "1"
    [error] = outcome.of("error")
    traceback = "\n".join(error.content["traceback"])
    assert "----> 2 1 / 0" in traceback
    assert "\x1b" not in traceback


def test_a_request_without_the_metadata_is_an_ordinary_one(kernel):
    outcome = kernel.run("1", fields=None)

    assert "taskweaver" not in outcome.metadata
    assert outcome.of("execute_result")[0].content["data"] == {"text/plain": "1"}


def test_pandas_numpy_and_pyplot_are_there(kernel):
    outcome = kernel.run("(pd.__name__, np.__name__, plt.__name__)")

    assert outcome.output == ["pandas", "numpy", "matplotlib.pyplot"]
    assert kernel.run("import sys; pd is sys.modules['pandas']").output is True


def test_a_table_is_shown_as_text_only(kernel):
    [result] = kernel.run("pd.DataFrame({'a': [1, 2]})").of("execute_result")

    assert result.content["data"] == {"text/plain": "   a\n0  1\n1  2"}


def test_a_styled_table_has_its_html(kernel):
    kernel.run("import importlib.util as u")
    if not kernel.run("u.find_spec('jinja2') is not None").output:
        outcome = kernel.run("from IPython.display import HTML; HTML('<b>')")
    else:
        outcome = kernel.run("pd.DataFrame({'a': [1]}).style")

    assert "text/html" in outcome.of("execute_result")[0].content["data"]


def test_a_figure_is_shown_once_as_png_and_closed(kernel):
    outcome = kernel.run("plt.plot([1, 2]); plt.show()")
    [display] = outcome.of("display_data")

    assert display.content["data"]["text/plain"] == "<Figure size 640x480 with 1 Axes>"
    assert display.content["data"]["image/png"].startswith("iVBOR")
    assert kernel.run("plt.get_fignums()").output == []


def test_a_figure_without_show_appears_at_the_end(kernel):
    outcome = kernel.run("print('before')\nax = plt.figure().gca()\nNone")

    assert [it.kind for it in outcome.messages if it.kind in ("stream", "display_data")] == ["stream", "display_data"]


def test_a_figure_as_the_value_is_not_shown_twice(kernel):
    outcome = kernel.run("fig = plt.figure()\nplt.plot([1])\nfig")

    assert len([it for it in outcome.messages if "image/png" in it.content.get("data", {})]) == 1


def test_code_after_a_failed_one_runs_unless_the_client_wants_it_refused(kernel):
    first = kernel.submit("1/0", stop_on_error=False)
    second = kernel.submit("'second'")
    assert kernel.wait(first).reply["status"] == "error"
    assert kernel.wait(second).output == "second"


def test_what_waits_behind_a_failed_execution_is_refused_if_the_client_wants_so(kernel):
    first = kernel.submit("import time; time.sleep(0.2); 1/0", stop_on_error=True)
    second = kernel.submit("'second'")
    assert kernel.wait(first).reply["status"] == "error"
    assert kernel.wait(second).reply["status"] == "aborted"
    assert kernel.run("'third'").output == "third"


def test_a_task_goes_on_between_executions(kernel):
    started = kernel.run("import asyncio\nasync def later():\n    await asyncio.sleep(0.05)\n    print('from the task')\ntask = asyncio.create_task(later())\nNone")
    outcome = kernel.run("await task")

    late = [it for it in outcome.others if it.kind == "stream"]
    assert [(it.parent_id, it.content["text"]) for it in late] == [(started.request_id, "from the task\n")]
    assert outcome.stream("stdout") == ""


def test_user_expressions_are_evaluated(kernel):
    outcome = kernel.run("value = 2", user_expressions={"twice": "value * 2", "bad": "nothing_here"})

    assert outcome.reply["user_expressions"]["twice"]["data"]["text/plain"] == "4"
    assert outcome.reply["user_expressions"]["bad"]["status"] == "error"


def test_executions_are_counted(kernel):
    count = kernel.run("1").reply["execution_count"]

    assert kernel.run("1").reply["execution_count"] == count + 1
    assert kernel.run("1", silent=True, store_history=False).reply["execution_count"] == count + 1


def test_values_of_expressions_are_kept_and_those_of_assignments_are_not(kernel):
    kernel.run("'kept'")
    kernel.run("assigned = 'not kept'")

    assert kernel.run("_").output == "kept"
    assert kernel.run("[1 for value in Out.values() if isinstance(value, str) and value == 'not kept']").output == []


def test_a_large_object_goes_when_its_name_does(kernel):
    code = "import weakref\nclass Large: pass\nlarge = Large()\nreference = weakref.ref(large)\nlarge = None\nreference() is None"

    kernel.run("import weakref\nclass Large: pass\nlarge = Large()")
    kernel.run("reference = weakref.ref(large)\nNone")
    assert kernel.run("large = None\nreference() is None").output is True
    assert kernel.run(code).output is True


def test_a_form_that_the_user_registered_is_used(kernel):
    code = "html = get_ipython().display_formatter.formatters['text/html']\nhtml.for_type(int, lambda value: f'<b>{value}</b>')\nNone"
    kernel.run(code)
    shown = kernel.run("5").of("execute_result")[0].content["data"]
    kernel.run("html.pop(int)")

    assert shown == {"text/plain": "5", "text/html": "<b>5</b>"}


def test_help_comes_as_a_payload(kernel):
    [payload] = kernel.run("len?").reply["payload"]

    assert payload["source"] == "page"
    assert "Return the number of items" in payload["data"]["text/plain"]


def test_display_ids_update(kernel):
    outcome = kernel.run("from IPython.display import display\nh = display('a', display_id='one')\nh.update('b')")

    shown = [(it.kind, it.content["transient"]["display_id"]) for it in outcome.messages if "transient" in it.content]
    assert shown == [("display_data", "one"), ("update_display_data", "one")]


def test_a_huge_value_arrives_whole(kernel):
    outcome = kernel.run("'x' * 3_000_000")

    assert outcome.of("execute_result")[0].content["data"]["text/plain"] == repr("x" * 3_000_000)
    assert json.loads(outcome.metadata["taskweaver"]["output"]).strip("'") == "x" * 3_000_000


def test_the_working_directory_is_where_the_kernel_was_started(kernel):
    assert kernel.run("import os; os.getcwd()").output == kernel.cwd


def test_modules_of_the_working_directory_can_be_imported(kernel):
    with open(f"{kernel.cwd}/beside.py", "w", encoding="utf-8") as file:
        file.write("value = 'from beside'\n")

    assert kernel.run("import beside; beside.value").output == "from beside"


def test_the_package_shadows_no_module_of_the_user(kernel):
    outcome = kernel.run("import sys, taskweaver; sys.path.index(taskweaver.__path__[0][:-11]) == len(sys.path) - 1")

    assert outcome.output is True
