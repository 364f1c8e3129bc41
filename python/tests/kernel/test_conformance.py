"""Jupyter's own conformance tests, run against the kernel as it is launched."""

import json
import sys

import jupyter_kernel_test
import pytest

from support import LAUNCHER


@pytest.fixture(scope="module", autouse=True)
def kernelspec(tmp_path_factory):
    """A kernelspec of a temporary Jupyter path."""
    folder = tmp_path_factory.mktemp("jupyter")
    spec = folder / "kernels" / "taskweaver-test"
    spec.mkdir(parents=True)
    argv = [sys.executable, str(LAUNCHER), "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "test", "language": "python"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield


class KernelConformanceTest(jupyter_kernel_test.KernelTests):
    """The standard set."""

    kernel_name = "taskweaver-test"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    code_page_something = "len?"
    code_generate_error = "raise ValueError"
    code_inspect_sample = "len"
    completion_samples = [{"text": "zi", "matches": {"zip"}}]
    complete_code_samples = ["1", "print('hello, world')", "def f(x):\n  return x*2\n\n"]
    incomplete_code_samples = ["print('''hello", "def f(x):\n  x*2"]
    invalid_code_samples = ["import = 7q"]
    code_execute_result = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    ]
    code_display_data = [
        {"code": "from IPython.display import HTML, display; display(HTML('<b>'))", "mime": "text/html"},
    ]
    code_clear_output = "from IPython.display import clear_output; clear_output()"
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "1?2*"


