"""Writes the networks of the rknn_model_zoo benchmark table as ONNX files and prints what they cost.

python benchmarks/zoo_networks.py FOLDER [names...]: all networks when none is named. A line each: parameters and
multiply-accumulates in millions and 1e9, the published number, the deviation from it, and the size of the file.
"""

import pathlib
import sys

import onnx
from zoo import NETWORKS
from zoo.cost import count_macs, count_parameters


def write(folder, name: str) -> pathlib.Path:
    """Writes FOLDER/NAME.onnx and returns its path. Raises if onnx's checker refuses the model."""
    function, _ = NETWORKS[name]
    model = function()
    onnx.checker.check_model(model, full_check=True)
    path = pathlib.Path(folder) / f"{name}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def describe(path: pathlib.Path) -> str:
    model, published = onnx.load(path), NETWORKS[path.stem][1]
    gmacs, parameters = count_macs(model) / 1e9, count_parameters(model) / 1e6
    size = path.stat().st_size / 1024
    deviation = 100 * (gmacs / published - 1)
    return f"{path.stem:21}{parameters:8.2f} M{gmacs:8.3f}{published:8.2f}{deviation:+7.1f} %{size:7.0f} KiB"


def main(folder: str, *names: str):
    unknown = sorted(set(names) - set(NETWORKS))
    if unknown:
        sys.exit(f"zoo_networks: no such network: {', '.join(unknown)}; known are {', '.join(NETWORKS)}")
    print(f"{'network':21}{'parameters':>10}{'GMAC':>8}{'publ.':>8}{'deviation':>9}{'file':>11}")
    for name in names or NETWORKS:
        print(describe(write(folder, name)), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
