"""Checks the walls: which room may include which (src/README.md), how long files are, and that no two headers define
types of one name in one namespace (the linker would merge their functions silently).

Reads `#include "..."` lines, and those that begin namespaces and types at the left margin. Run by script/lint and by the tests.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# room -> rooms it may include; every room may include itself. Order: data flow.
MAY_INCLUDE = {
    "core/base": set(),
    "core/graph": {"core/base"},
    "core/targets": {"core/base", "core/graph"},
    "core/kernels": {"core/base", "core/graph", "core/targets"},
    "core/executor": {"core/base", "core/graph", "core/targets", "core/kernels"},
    "core/model": {"core/base", "core/graph"},
    "core/rknn_file": {"core/base", "core/graph", "core/model"},
    "compiler/dataset": {"core"},
    "compiler/importers": {"core"},
    "compiler/exporters": {"core"},
    "compiler/passes": {"core"},
    "compiler/quantize": {"core", "compiler/dataset"},
    "compiler/analysis": {"core", "compiler/dataset", "compiler/quantize"},
    "compiler/corrections": {"core", "compiler/dataset", "compiler/passes", "compiler/quantize"},
    "compiler/search": {"core", "compiler"},
    "compiler": {"core", "compiler"},
    "runtime/engine": {"core", "include"},
    "runtime/capi": {"runtime/engine", "core/base", "include"},
    "runtime/session": {"core/base", "include"},
    "runtime/server": {"core/base", "include"},
    "toolkit": {"core", "compiler", "runtime", "include"},
    "apps": {"core", "compiler", "runtime", "toolkit", "include"},
    "python": {"core", "compiler", "runtime", "toolkit", "include"},
}
LONGEST_FILE = 500


def is_template(path: pathlib.Path) -> bool:
    """A file of the projects that codegen writes: it has an include root of its own."""
    return "toolkit/codegen/templates" in path.as_posix()


def room_of(path: str) -> str:
    if path.startswith(("rknn_", "openrknn/")):
        return "include"
    if path.startswith("bindings/"):  # python/ is an include root of its own
        return "python"
    best = max((room for room in MAY_INCLUDE if path.startswith(room + "/")), key=len, default="")
    return best


def allowed(room: str, other: str) -> bool:
    if other == room:
        return True
    return any(other == grant or other.startswith(grant + "/") for grant in MAY_INCLUDE[room])


def importer_of(path: str) -> str:
    match = re.match(r"compiler/importers/(\w+)/", path)
    return match.group(1) if match else ""


def double_types(headers: list[pathlib.Path]) -> list[str]:
    first, found = {}, []
    for header in headers:
        where = header.relative_to(ROOT).as_posix()
        text = header.read_text()
        for match in re.finditer(
            r"^(?:namespace ([\w:]+)|(?:struct|class|enum class) (\w+)(?!\w|::)[^;]*?\{)", text, re.M
        ):
            if match.group(1):
                space = match.group(1)
                continue
            name = f"{space}::{match.group(2)}"
            # Folders of one CPU kind define the same names: each is compiled in a namespace of its own.
            if "kernels/fast/" in where or first.setdefault(name, where) == where:
                continue
            found.append(f"{where}: {name} is a type of {first[name]} as well: one name, one type")
    return found


def problems() -> list[str]:
    found = double_types(sorted(path for path in ROOT.glob("src/**/*.h") if not is_template(path)))
    sources = [
        *ROOT.glob("src/**/*.h"), *ROOT.glob("src/**/*.cpp"), *ROOT.glob("apps/**/*.cpp"), *ROOT.glob("apps/**/*.h"),
        *ROOT.glob("python/**/*.cpp"), *ROOT.glob("python/**/*.h"),
    ]  # fmt: skip
    for source in sorted(path for path in sources if not is_template(path)):
        where = source.relative_to(ROOT).as_posix()
        inside = where.removeprefix("src/")
        room = room_of(inside)
        text = source.read_text()
        lines = text.count("\n")
        if lines > LONGEST_FILE:
            found.append(f"{where}: {lines} lines, at most {LONGEST_FILE}: one idea a file")
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            included = match.group(1)
            other = room_of(included)
            if not other:
                found.append(f"{where}:{number}: include paths begin at src/ or include/, got {included!r}")
            elif not allowed(room, other):
                found.append(f"{where}:{number}: {room} may not include {other} ({included})")
            elif importer_of(inside) and importer_of(included) not in ("", importer_of(inside)):
                found.append(f"{where}:{number}: importers never include each other ({included})")
    return found


if __name__ == "__main__":
    listing = problems()
    print("\n".join(listing) or "rooms: all walls stand")
    sys.exit(1 if listing else 0)
