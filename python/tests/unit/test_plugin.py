"""Tests of what plugin authors import."""

import os

import pytest

from taskweaver.plugin import Plugin, register_plugin, temp_context, test_plugin as plugin_test
from taskweaver.plugin.register import collect_registrations


@pytest.fixture
def context():
    with temp_context() as ctx:
        yield ctx


def test_a_class_is_registered_with_and_without_parentheses():
    with collect_registrations() as registrations:

        @register_plugin
        class First(Plugin):
            def __call__(self):
                return 1

        @register_plugin()
        class Second(Plugin):
            def __call__(self):
                return 2

    assert registrations.plugins == [First, Second]


def test_a_function_is_registered_and_logs_its_calls(context):
    with collect_registrations() as registrations:

        @register_plugin
        def add(a, b=1):
            """Adds."""
            return a + b

    plugin = registrations.plugins[0]("adder", context, {})

    assert plugin(2, b=3) == 5
    assert context.log_lines == [("info", "Plugin-adder", "calling function add")]
    assert add(1) == 2
    assert plugin.__doc__ == "Adds."


@pytest.mark.parametrize("thing", [3, "name", type("NoPlugin", (), {})])
def test_what_is_no_plugin_cannot_be_registered(thing):
    with pytest.raises(TypeError, match="@register_plugin"):
        register_plugin(thing)


def test_tests_take_name_and_description_from_the_function_by_default():
    with collect_registrations() as registrations:

        @plugin_test(name="named", description="described")
        def one(plugin):
            pass

        @plugin_test()
        def two(plugin):
            """Does two."""

        @plugin_test
        def three(plugin):
            pass

    found = [(it.name, it.description) for it in registrations.tests]
    assert found == [("named", "described"), ("two", "Does two."), ("three", "")]


def test_outside_of_a_kernel_the_decorators_change_nothing():
    @register_plugin
    class Mine(Plugin):
        def __call__(self):
            return "called"

    assert Mine("mine", None)() == "called"


def test_the_environment_is_read_by_plugin_and_variable(context, monkeypatch):
    monkeypatch.setenv("PLUGIN_mine_KEY", "value")
    plugin = Plugin("mine", context, {})

    assert plugin.get_env("KEY") == "value"
    with pytest.raises(ValueError, match="PLUGIN_mine_OTHER"):
        plugin.get_env("OTHER")


def test_text_is_wrapped_in_the_marks_of_temporary_text(context):
    wrapped = context.wrap_text_with_delimiter_temporal("text")

    assert wrapped == "{{DELIMITER_START_TEMPORAL}}text{{DELIMITER_END_TEMPORAL}}"


def test_session_variables_have_a_default(context):
    context.session_variables["a"] = "1"

    assert context.get_session_var("a") == "1"
    assert context.get_session_var("b") is None
    assert context.get_session_var("b", "x") == "x"


@pytest.mark.parametrize(
    ("kind", "value", "content"),
    [
        ("txt", "text €", "text €".encode()),
        ("file", b"\x00\x01", b"\x00\x01"),
        ("file", "text", b"text"),
        ("html", "<p>", b"<p>"),
        ("svg", "<svg/>", b"<svg/>"),
        ("chart", {"a": [1]}, b'{"a": [1]}'),
        ("chart", '{"a": 1}', b'{"a": 1}'),
        ("image", b"\x89PNG", b"\x89PNG"),
    ],
)
def test_an_artifact_is_saved_by_its_type(context, kind, value, content):
    identifier = context.add_artifact("name", "a.dat", kind, value)

    [artifact] = context.artifacts
    assert artifact["id"] == identifier
    assert os.path.basename(artifact["path"]) == f"{identifier}_a.dat"
    with open(artifact["path"], "rb") as file:
        assert file.read() == content


def test_a_data_frame_is_saved_as_csv_with_an_index_that_says_something(context):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2]})
    context.add_artifact("plain", "a.csv", "df", frame)
    context.add_artifact("indexed", "b.csv", "df", frame.set_index(pandas.Index(["x", "y"], name="k")))

    texts = [open(it["path"], encoding="utf-8").read() for it in context.artifacts]
    assert texts == ["a\n1\n2\n", "k,a\nx,1\ny,2\n"]


def test_a_figure_is_saved_as_an_image(context):
    figure_module = pytest.importorskip("matplotlib.figure")
    context.add_artifact("figure", "f.png", "image", figure_module.Figure())

    with open(context.artifacts[0]["path"], "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("name", ["", "..", "a/..", "\0"])
def test_a_name_that_names_no_file_is_refused(context, name):
    with pytest.raises(ValueError, match="no file name"):
        context.add_artifact("a", name, "txt", "x")


def test_folders_in_a_file_name_are_left_out(context):
    context.add_artifact("a", "../../etc/b.txt", "txt", "x")

    path = context.artifacts[0]["path"]
    assert os.path.dirname(path) == context.folder
    assert path.endswith("_b.txt")


def test_an_unknown_type_is_refused(context):
    with pytest.raises(ValueError, match="'video'"):
        context.add_artifact("a", "b", "video", "x")


def test_a_value_that_does_not_fit_its_type_is_refused(context):
    with pytest.raises(TypeError, match="DataFrame"):
        context.add_artifact("a", "b.csv", "df", 3)
    with pytest.raises(TypeError, match="image"):
        context.add_artifact("a", "b.png", "image", 3)
