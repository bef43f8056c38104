"""tools/compatibility_page.py: which marks it reads, what it writes, and that no row and no mark is left over."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import compatibility_page  # noqa: E402

TABLE = """# Title

Words.

| method | argument | default | accepts | state |
|---|---|---|---|---|
| config | mean_values | `None` | list | works |
| config | std_values | `None` | list | works |
| release | | | frees everything | works |

## Behind
"""
ROWS = ["config.mean_values", "config.std_values", "release"]


@pytest.fixture
def marks_in(tmp_path):
    """The marks of a file of tests, and the problems of reading them."""

    def read(text, name="test_a.py"):
        (tmp_path / name).write_text("import pytest\n\n\n" + text)
        return compatibility_page.read_marks(tmp_path)

    return read


def test_every_row_gets_the_tests_that_name_it(marks_in):
    marks_in('@pytest.mark.proves("release")\ndef test_c(rknn):\n    pass\n', "test_b.py")
    marks, problems = marks_in(
        '@pytest.mark.proves("config.mean_values", "config.std_values")\n'
        '@pytest.mark.parametrize("x", [1])\n'
        "def test_a(x):\n    pass\n\n\n"
        '@pytest.mark.proves("config.std_values")\ndef test_b():\n    pass\n'
    )
    assert problems == [] and compatibility_page.find_problems(ROWS, marks) == []
    page = compatibility_page.add_proofs(TABLE, marks)
    assert "| method | argument | default | accepts | state | proved by |\n|---|---|---|---|---|---|\n" in page
    assert "| config | mean_values | `None` | list | works | `test_a.py::test_a` |\n" in page
    assert "| config | std_values | `None` | list | works | `test_a.py::test_a`, `test_a.py::test_b` |\n" in page
    assert "| release | | | frees everything | works | `test_b.py::test_c` |\n\n## Behind\n" in page


def test_rows_without_a_test_and_marks_without_a_row_are_told_together(marks_in):
    marks, _ = marks_in('@pytest.mark.proves("config.mean_value", "release")\ndef test_a():\n    pass\n')
    told = compatibility_page.find_problems(ROWS, marks)
    assert len(told) == 3
    assert told[0].startswith("test_a.py:4: 'config.mean_value' is no row") and "mean config.mean_values" in told[0]
    assert told[1].startswith("config.mean_values: no test proves it")
    assert told[2].startswith("config.std_values: no test proves it")


def test_three_tests_of_one_row_are_one_too_many(marks_in):
    tests = "\n\n".join(f'@pytest.mark.proves("release")\ndef test_{name}():\n    pass\n' for name in "abc")
    (problem,) = compatibility_page.find_problems(["release"], marks_in(tests)[0])
    assert "got 3 tests" in problem and "test_a.py::test_c" in problem


@pytest.mark.parametrize(
    "text",
    [
        '@pytest.mark.proves("release")\ndef helper():\n    pass\n',
        'class TestIt:\n    @pytest.mark.proves("release")\n    def test_a(self):\n        pass\n',
        '@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.proves("release"))])\ndef test_a(x):\n    pass\n',
        "ROW = 'release'\n\n\n@pytest.mark.proves(ROW)\ndef test_a():\n    pass\n",
        '@pytest.mark.proves(*["release"])\ndef test_a():\n    pass\n',
        "@pytest.mark.proves\ndef test_a():\n    pass\n",
        '@pytest.mark.proves(row="release")\ndef test_a():\n    pass\n',
        'pytestmark = pytest.mark.proves("release")\n',
    ],
    ids=["helper", "class", "parameter", "variable", "list", "bare", "keyword", "module"],
)
def test_marks_that_are_not_read_are_told(marks_in, text):
    marks, (problem,) = marks_in(text)
    assert marks == []
    assert problem.startswith("test_a.py:") and "this mark is not read" in problem


def test_a_missing_command_is_told_with_what_to_do(tmp_path):
    command = [sys.executable, compatibility_page.__file__, "--check", "--command", str(tmp_path / "openrknn")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "script/build release" in done.stderr
