#!/usr/bin/env python3
"""Writes docs/compatibility.md: the table of options (`openrknn doctor --compatibility`) and the tests that prove each row.

A test in tests/python names the rows that fail with it, METHOD.ARGUMENT or METHOD alone:

    @pytest.mark.proves("config.mean_values", "config.std_values")
    def test_mean_and_std_are_applied_to_inputs(...):

Decorators are read where they stand; no test is imported or run. Every row needs one or two tests. Where one has none or more, or a
mark names no row, all of that is told, nothing is written, and the exit code is 1.
"""

import argparse
import ast
import difflib
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "compatibility.md"
TESTS = ROOT / "tests" / "python"
HEADER = "| method | argument |"
MOST_TESTS = 2
EXPLANATION = (
    "*Proved by*: tests in tests/python that fail where an argument does not do what its row says. This column is written by\n"
    "`tools/compatibility_page.py` from the marks `proves` of the tests.\n\n"
)


def row_name(line: str) -> str:
    method, argument = (cell.strip() for cell in line.split("|")[1:3])
    return f"{method}.{argument}" if argument else method


def split_page(text: str) -> tuple[str, list[str], str]:
    """What stands before the table, its lines with the two of the header, and what stands behind."""
    before, _, rest = text.partition(HEADER)
    table, _, behind = (HEADER + rest).partition("\n\n")
    return before, table.splitlines(), "\n\n" + behind


def rows_of(decorator: ast.expr) -> list[str]:
    """The rows a decorator names in plain sight: nothing is computed here."""
    arguments = decorator.args if isinstance(decorator, ast.Call) and not decorator.keywords else []
    rows = [each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return rows if len(rows) == len(arguments) else []


def read_marks(folder: pathlib.Path) -> tuple[list[tuple[str, str, str]], list[str]]:
    """(row, test as pytest names it, place) of every mark, and the marks that cannot be read."""
    marks, problems = [], []
    for path in sorted(folder.glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        read = {
            decorator.func: (statement.name, rows_of(decorator))
            for statement in tree.body
            if isinstance(statement, ast.FunctionDef) and statement.name.startswith("test_")
            for decorator in statement.decorator_list
            if rows_of(decorator)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or node.attr != "proves":
                continue
            place = f"{path.name}:{node.lineno}"
            if node not in read:
                problems.append(
                    f"{place}: this mark is not read, expected a decorator of a test function of the module, with names of rows "
                    'in quotes; write it like @pytest.mark.proves("build.dataset")'
                )
                continue
            test, rows = read[node]
            marks += [(row, f"{path.name}::{test}", place) for row in rows]
    return marks, problems


def find_problems(rows: list[str], marks: list[tuple[str, str, str]]) -> list[str]:
    problems = []
    for row, _, place in marks:
        if row not in rows:
            near = difflib.get_close_matches(row, rows, 3)
            advice = f"did you mean {' or '.join(near)}?" if near else "see docs/compatibility.md for the names"
            problems.append(f"{place}: '{row}' is no row of the table of options, expected METHOD.ARGUMENT; {advice}")
    for row in rows:
        tests = [test for each, test, _ in marks if each == row]
        if not tests:
            problems.append(
                f'{row}: no test proves it, expected one or two; mark with @pytest.mark.proves("{row}") the test that fails '
                "where the argument is ignored"
            )
        elif len(tests) > MOST_TESTS:
            problems.append(
                f"{row}: got {len(tests)} tests, expected one or two; keep the marks that say most: {', '.join(tests)}"
            )
    return problems


def add_proofs(text: str, marks: list[tuple[str, str, str]]) -> str:
    before, table, behind = split_page(text)
    lines = [f"{table[0]} proved by |", f"{table[1]}---|"]
    for line in table[2:]:
        lines.append(f"{line} {', '.join(f'`{test}`' for row, test, _ in marks if row == row_name(line))} |")
    return before + EXPLANATION + "\n".join(lines) + behind


def default_command() -> str:
    return os.environ.get("OPENRKNN_COMMAND") or str(ROOT / "build" / "release" / "apps" / "openrknn")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the page would change")
    parser.add_argument(
        "--command",
        default=default_command(),
        help="the openrknn command ($OPENRKNN_COMMAND, or that of build/release)",
    )
    given = parser.parse_args()
    try:
        done = subprocess.run([given.command, "doctor", "--compatibility"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{given.command}: {error}; build it with script/build release, or name it by --command", file=sys.stderr)
        return 1
    marks, problems = read_marks(TESTS)
    rows = [row_name(line) for line in split_page(done.stdout)[1][2:]]
    problems += find_problems(rows, marks)
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    page = add_proofs(done.stdout, marks)
    if not given.check:
        PAGE.write_text(page, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page:
        print(
            "docs/compatibility.md is not what table and tests say now; run tools/compatibility_page.py",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
