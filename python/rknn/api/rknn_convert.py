"""python3 -m rknn.api.rknn_convert: from a YAML description, or a model file, to <output>/<name>.rknn.

docs/rknn_convert.md has the file's form. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from openrknn import Error, _core
from rknn.api.rknn import RKNN


@dataclass(frozen=True)
class Framework:
    """How a model of a framework is described and loaded."""

    loader: str
    files: dict[str, str]  # key of the YAML file: argument of the loader
    subgraphs: dict[str, str] = field(default_factory=dict)  # likewise
    extensions: tuple[str, ...] = ()
    beside: str = ""  # extension of the second file, where one model file is given
    needs: tuple[str, ...] = ()  # keys of subgraphs that models do not say themselves


_CROPPED = {"inputs": "inputs", "input_size_list": "input_size_list", "outputs": "outputs"}
_ONE_FILE = "model_file_path"
FRAMEWORKS = {
    "onnx": Framework("load_onnx", {_ONE_FILE: "model"}, _CROPPED, (".onnx",)),
    "tensorflow": Framework("load_tensorflow", {_ONE_FILE: "tf_pb"}, _CROPPED, (".pb",)),
    "tflite": Framework("load_tflite", {_ONE_FILE: "model"}, {}, (".tflite",)),
    "pytorch": Framework(
        "load_pytorch",
        {_ONE_FILE: "model"},
        {"input_size_list": "input_size_list"},
        (".pt", ".pth", ".torchscript"),
        needs=("input_size_list",),
    ),
    "caffe": Framework(
        "load_caffe",
        {"prototxt_file_path": "model", "caffemodel_file_path": "blobs"},
        {"inputs": "input_name"},
        (".prototxt",),
        ".caffemodel",
    ),
    "darknet": Framework(
        "load_darknet",
        {"darknet_cfg_path": "model", "darknet_weights_path": "weight"},
        {},
        (".cfg",),
        ".weights",
    ),
}
_KEYS = {"name", "platform", "subgraphs", "quantize", "dataset", "configs"}


class Refused(Exception):
    """What the user has to change: one problem a line."""


class Failed(Exception):
    """A step said why already."""


@dataclass
class Job:
    """What is to be converted, with paths that lead somewhere."""

    name: str
    loader: str
    load: dict
    config: dict
    quantize: bool = False
    dataset: str | None = None
    warnings: list[str] = field(default_factory=list)


def _shapes(given) -> list[list[int]]:
    """[[1, 3, 224, 224]], ["1, 3, 224, 224"] or [1, 3, 224, 224]; three extents are an image without its batch."""
    if isinstance(given, (list, tuple)) and given and all(isinstance(extent, int) for extent in given):
        given = [given]
    shapes = []
    for item in given if isinstance(given, (list, tuple)) else [given]:
        parts = item.strip("[] ").split(",") if isinstance(item, str) else item
        shape = [int(extent) for extent in parts]
        shapes.append([1, *shape] if len(shape) == 3 else shape)
    return shapes


def _from_subgraphs(framework: Framework, given: dict, problems: list[str]) -> dict:
    arguments = {}
    for key, value in given.items():
        argument = framework.subgraphs.get(key)
        if value is None or argument is None:
            continue
        if key == "input_size_list":
            try:
                arguments[argument] = _shapes(value)
            except (TypeError, ValueError):
                problems.append(f"subgraphs: input_size_list: got {value!r}, expected shapes like ['1,3,224,224']")
        else:
            arguments[argument] = value if isinstance(value, list) else [value]
    return arguments


def _mapping(parent: dict, key: str, problems: list[str]) -> dict:
    given = parent.get(key)
    if given is None or isinstance(given, dict):
        return dict(given or {})
    problems.append(f"{key}: got {given!r}, expected a mapping")
    return {}


def job_from_yaml(path: Path) -> Job:
    """Relative paths start at the folder of the file. Raises Refused with every problem."""
    problems: list[str] = []
    models = _core.read_yaml(str(path)).get("models")
    if not isinstance(models, dict):
        raise Refused(f"{path}: 'models:' is missing; it holds name, platform, the model's path and configs")
    platform = str(models.get("platform")).lower()
    framework = FRAMEWORKS.get(platform)
    if framework is None:
        raise Refused(f"{path}: platform: got {models.get('platform')!r}, expected one of {', '.join(FRAMEWORKS)}")

    def file_of(key: str) -> str | None:
        given = models.get(key)
        if given is None:
            problems.append(f"'{key}' is missing")
            return None
        file = path.parent / str(given)
        if not file.is_file():
            problems.append(f"{key}: no such file '{file}'; paths are relative to the folder of the .yml file")
        return str(file)

    load = {argument: file_of(key) for key, argument in framework.files.items()}
    subgraphs = _mapping(models, "subgraphs", problems)
    load |= _from_subgraphs(framework, subgraphs, problems)
    problems += [f"subgraphs: '{key}' is missing" for key in framework.needs if subgraphs.get(key) is None]
    unused = [f"subgraphs: {key}" for key in subgraphs if key not in framework.subgraphs]
    unused += [key for key in models if key not in _KEYS and key not in framework.files]
    quantize = models.get("quantize", False)
    if not isinstance(quantize, bool):
        problems.append(f"quantize: got {quantize!r}, expected true or false")
    if quantize is True and models.get("dataset") is None:
        problems.append("quantize: true needs 'dataset', a file that lists samples")
    name = models.get("name")
    first = models.get(next(iter(framework.files)))
    job = Job(
        name=str(name) if name is not None else Path(str(first)).stem,
        loader=framework.loader,
        load=load,
        config=_mapping(models, "configs", problems),
        quantize=quantize is True,
        dataset=file_of("dataset") if quantize is True and models.get("dataset") is not None else None,
        warnings=[f"{path}: '{key}' has no effect with platform {platform}" for key in unused],
    )
    if Path(job.name).name != job.name:
        problems.append(f"name: got {job.name!r}, expected a file name without folders")
    if problems:
        raise Refused("\n".join(f"{path}: {problem}" for problem in problems))
    return job


def job_from_model(path: Path) -> Job:
    """A model file alone: built in float16, under its own name."""
    for framework in FRAMEWORKS.values():
        if path.suffix.lower() in framework.extensions:
            files = [path, path.with_suffix(framework.beside)] if framework.beside else [path]
            missing = [str(file) for file in files if not file.is_file()]
            if missing:
                raise Refused("\n".join(f"no such file '{file}'" for file in missing))
            if framework.needs:
                needs = ", ".join(framework.needs)
                raise Refused(f"-i {path}: such a model does not say its {needs}: describe it in a .yml file")
            return Job(
                path.stem,
                framework.loader,
                dict(zip(framework.files.values(), map(str, files), strict=True)),
                {},
            )
    known = ", ".join(extension for framework in FRAMEWORKS.values() for extension in framework.extensions)
    raise Refused(f"-i {path}: got a file of an unknown kind, expected .yml, .yaml or a model: {known}")


def _job_of(arguments: argparse.Namespace) -> Job:
    path = Path(arguments.input)
    if not path.is_file():
        raise Refused(f"-i: no such file '{path}'")
    is_yaml = path.suffix.lower() in (".yml", ".yaml")
    job = job_from_yaml(path) if is_yaml else job_from_model(path)
    if arguments.target_platform is not None:
        job.config["target_platform"] = arguments.target_platform
    problems = []
    if job.config.get("target_platform") is None:
        problems.append("-t is missing, and the file names no target_platform: which SoC is the model for?")
    elif arguments.device_id is not None and not (arguments.eval or arguments.accuracy_analysis):
        problems.append("-d names a board, and nothing is to run there: add -e or -a")
    problems += [f"-a: no such file '{file}'" for file in _analysed(arguments) if not Path(file).is_file()]
    if problems:
        raise Refused("\n".join(problems))
    return job


def _analysed(arguments: argparse.Namespace) -> list[str]:
    return shlex.split(arguments.accuracy_analysis) if arguments.accuracy_analysis else []


def _step(call, *args, **kwargs):
    """A method of RKNN; what it has to say about a failure it logs itself."""
    try:
        result = call(*args, **kwargs)
    except Exception as error:
        raise Failed(call.__name__) from error
    if isinstance(result, int) and result != 0:
        raise Failed(call.__name__)
    return result


def convert(job: Job, arguments: argparse.Namespace) -> Path:
    """Raises Failed."""
    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    target = job.config["target_platform"]
    # -d alone: the only board there is.
    device = {"device_id": arguments.device_id or None}
    rknn = RKNN(verbose=arguments.verbose)
    try:
        _step(rknn.config, **job.config)
        _step(getattr(rknn, job.loader), **job.load)
        _step(rknn.build, do_quantization=job.quantize, dataset=job.dataset)
        path = output / f"{job.name}.rknn"
        _step(rknn.export_rknn, export_path=str(path))
        if arguments.accuracy_analysis:
            on_board = {} if arguments.device_id is None else {"target": target, **device}
            inputs = _analysed(arguments)
            _step(rknn.accuracy_analysis, inputs=inputs, output_dir=str(output / "snapshot"), **on_board)
        if arguments.eval:
            _step(rknn.init_runtime, target=target, perf_debug=True, **device)
            _step(rknn.eval_perf)
            _step(rknn.init_runtime, target=target, eval_mem=True, **device)
            _step(rknn.eval_memory)
    finally:
        rknn.release()
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m rknn.api.rknn_convert",
        description="Turns a model into <output>/<name>.rknn, by a YAML file (docs/rknn_convert.md) or as it is, in float16.",
        epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage.",
    )
    parser.add_argument("-t", "--target_platform", help="the SoC, rk3588 or another; wins over the file's")
    parser.add_argument("-i", "--input", required=True, help="the .yml file, or a model file")
    parser.add_argument("-o", "--output", default=".", help="the folder for the .rknn file (default: %(default)s)")
    parser.add_argument("-e", "--eval", action="store_true", help="then measure times and memory on a board")
    parser.add_argument(
        "-a", "--accuracy_analysis", metavar="FILES", help='then compare every layer for one sample: "x1.jpg x2.jpg"'
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="detailed logs")
    parser.add_argument(
        "-d", "--device_id", nargs="?", const="", help="the board for -e and -a; without an id the only one there is"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code; wrong usage exits with 2."""
    arguments = _parser().parse_args(argv)
    try:
        job = _job_of(arguments)
        for warning in job.warnings:
            print(f"W rknn_convert: {warning}", file=sys.stderr)
        print(convert(job, arguments))
    except (Refused, Error, OSError) as error:
        for line in str(error).splitlines():
            print(f"E rknn_convert: {line}", file=sys.stderr)
        return 1
    except Failed as failed:
        print(f"E rknn_convert: {failed} failed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
