"""Where the programs under test are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import openrknn


def command_line():
    """The `openrknn` command: OPENRKNN_COMMAND, or the one of the tested package's build folder or environment."""
    if named := os.environ.get("OPENRKNN_COMMAND"):
        return [str(Path(named).resolve())]
    package = Path(openrknn.__file__).parent
    tools = os.environ.get("OPENRKNN_TEST_TOOLS")
    candidates = [
        package.parents[1] / "apps" / "openrknn",
        *([Path(tools).resolve().parent / "apps" / "openrknn"] if tools else []),
        Path(sys.executable).with_name("openrknn"),
    ]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return [str(candidate)]
    found = shutil.which("openrknn")
    if found is None:
        pytest.skip("the openrknn command is not built")
    return [found]


def tool(name):
    """A program of tests/tools: the folder OPENRKNN_TEST_TOOLS names."""
    folder = os.environ.get("OPENRKNN_TEST_TOOLS")
    if not folder:
        pytest.skip("OPENRKNN_TEST_TOOLS names no folder of test programs")
    return str(Path(folder).resolve() / name)


def environment_with_cmake():
    """The environment in which programs find CMake: the tests' own may lie beside Python."""
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if shutil.which("cmake", path=environment["PATH"]) is None:
        pytest.skip("no cmake")
    # Ninja comes with the tests' CMake; make need not be there.
    if shutil.which("ninja", path=environment["PATH"]):
        environment["CMAKE_GENERATOR"] = "Ninja"
    return environment


def cmake(*arguments):
    done = subprocess.run(
        ["cmake", *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False, env=environment_with_cmake(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def board_program(name, folder="tests"):
    """A program of a build for boards, with what runs it here: the build whose tests folder OPENRKNN_BOARD_TOOLS names."""
    tools = os.environ.get("OPENRKNN_BOARD_TOOLS")
    if not tools:
        pytest.skip("OPENRKNN_BOARD_TOOLS names no folder of programs for boards")
    program = Path(tools).resolve().parent / folder / name
    machine = int.from_bytes(program.read_bytes()[18:20], "little")  # e_machine of the ELF header
    here = {"x86_64": 62, "aarch64": 183}[os.uname().machine]
    return [*([] if machine == here else ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]), str(program)]
