"""Fits the cost model's parameters to published frame rates, and says how well networks are told that were left out.

python benchmarks/fit_estimates.py [--write]: needs onnx, numpy and scipy, and a built `openrknn` (build/release or OPENRKNN).
Networks come from benchmarks/zoo, counted work from `openrknn estimate --json`, rates from zoo/rates.py. --write puts the
parameters into src/core/targets/cost_parameters.cpp and the tables into docs/estimates.md.

The formula is core/targets/cost_model.cpp's, in numpy: `predict` below. tests/python/test_estimates.py holds them together.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARAMETERS = ROOT / "src/core/targets/cost_parameters.cpp"
DOCUMENT = ROOT / "docs/estimates.md"
BEGIN, END = "<!-- fit: begin -->", "<!-- fit: end -->"

NAMES = ("cycles_per_step", "cycles_per_curve", "cycles_per_byte", "layer_microseconds", "run_microseconds")
START = (1.1, 0.5, 0.1, 8.0, 100.0)
# Physical: the multipliers' peak, and the memory of the boards (34, 22, 12.8, 12.8 GB/s at 1 GHz).
HIGHEST = (2.0, 2.0, 1.0, 60.0, 1500.0)
BUS_GBPS = {"rk3568": 12.8, "rk3562": 12.8, "rk3588": 34.0, "rk3576": 22.0}
CLOCK_GHZ = 1.0  # of all four
RESULTS_PER_CYCLE = POOLED_PER_CYCLE = 16
TILE_MICROSECONDS = 1
CPU_LAYER_MICROSECONDS, CPU_BYTES, CPU_PRODUCTS = 50, 1000, 4000


def openrknn() -> str:
    return os.environ.get("OPENRKNN", str(ROOT / "build/release/apps/openrknn"))


def count(path, targets, *flags) -> dict:
    """Target name -> its entry of `openrknn estimate --json`."""
    chosen = [argument for target in targets for argument in ("-t", target)]
    done = subprocess.run(
        [openrknn(), "estimate", str(path), "--json", *chosen, *flags], capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(f"estimate of {path} failed: {done.stderr}")
    return {entry["target"]: entry for entry in json.loads(done.stdout)["targets"]}


def columns(entry: dict) -> dict:
    """The layers of one entry as arrays."""
    layers = entry["layers"]
    keys = ("array_steps", "results", "curve_results", "pooled", "tiles", "products")
    table = {key: np.array([layer[key] for layer in layers], dtype=float) for key in keys}
    sizes = [[layer[key] for key in ("weight_bytes", "feature_bytes", "result_bytes")] for layer in layers]
    table["bytes"] = np.array(sizes, dtype=float).sum(axis=1)
    table["on_npu"] = np.array([layer["place"] == "NPU" for layer in layers])
    table["is_free"] = (table["bytes"] == 0) | np.array([layer["fused"] for layer in layers])
    return table


def predict(table: dict, parameters) -> float:
    """Microseconds of a run, at 1 GHz."""
    step, curve, byte, layer, run = parameters
    output = table["results"] / RESULTS_PER_CYCLE + table["curve_results"] * curve + table["pooled"] / POOLED_PER_CYCLE
    cycles = np.maximum(table["array_steps"] * step, output) + table["bytes"] * byte
    fixed = np.where(table["is_free"], 0, layer) + TILE_MICROSECONDS * (table["tiles"] - 1)
    cpu = CPU_LAYER_MICROSECONDS + table["bytes"] / CPU_BYTES + table["products"] / CPU_PRODUCTS
    return float(np.where(table["on_npu"], cycles / (CLOCK_GHZ * 1e3) + fixed, cpu).sum() + run)


def committed_parameters(target: str) -> list:
    """Those that the product has."""
    row = re.search(rf'target = "{target}",(.*?)}}', PARAMETERS.read_text(), re.S).group(1)
    return [float(re.search(rf"\.{name} = ([\d.e+-]+)", row).group(1)) for name in NAMES]


def fit(tables: list, microseconds: list, target: str) -> np.ndarray:
    """Least squares of the logarithms, with little weight on outliers; the same for the same data."""
    from scipy.optimize import least_squares

    lowest = np.array([1.0, 1e-3, CLOCK_GHZ / BUS_GBPS[target], 2.0, 30.0])
    start = np.clip(START, lowest * 1.01, np.array(HIGHEST) * 0.99)
    truth = np.log(microseconds)

    def errors(parameters):
        return np.log([predict(table, parameters) for table in tables]) - truth

    found = least_squares(errors, start, bounds=(lowest, HIGHEST), x_scale=np.array(START), loss="soft_l1", f_scale=0.1)
    return found.x


def affine(gmacs, microseconds):
    """a GMAC + b by least squares of the relative error: what estimates have to beat."""
    rows = np.stack([gmacs, np.ones_like(gmacs)], axis=1) / microseconds[:, None]
    return np.linalg.lstsq(rows, np.ones_like(microseconds), rcond=None)[0]


class Data:
    """Counted work and microseconds of all networks on all targets."""

    def __init__(self, folder):
        sys.path.insert(0, str(ROOT / "benchmarks"))
        import zoo_networks
        from zoo import measured, rates

        self.targets, self.names = rates.TARGETS, list(rates.FRAMES_PER_SECOND)
        self.tables, self.microseconds, self.gmacs = {}, {}, {}
        for name, published in rates.FRAMES_PER_SECOND.items():
            entries = count(zoo_networks.write(folder, name), rates.TARGETS)
            self.gmacs[name] = sum(layer["products"] for layer in entries["rk3588"]["layers"]) / 1e9
            for target, frames in zip(rates.TARGETS, published, strict=True):
                self.tables[name, target] = columns(entries[target])
                self.microseconds[name, target] = 1e6 / frames
        self.matmuls = list(rates.MATMULS)
        for name, (rows, inner, outer, dtype, milliseconds) in rates.MATMULS.items():
            flags = ["--float"] if dtype == "float16" else []
            path = measured.write_matmul(folder, name, rows, inner, outer)
            self.tables[name, "rk3588"] = columns(count(path, ["rk3588"], *flags)["rk3588"])
            self.microseconds[name, "rk3588"] = milliseconds * 1e3

    def fit(self, target: str, without=None) -> np.ndarray:
        names = [name for name in self.names if name != without] + (self.matmuls if target == "rk3588" else [])
        keys = [(name, target) for name in names]
        return fit([self.tables[key] for key in keys], [self.microseconds[key] for key in keys], target)

    def error_left_out(self, target: str, name: str) -> float:
        predicted = predict(self.tables[name, target], self.fit(target, without=name))
        return predicted / self.microseconds[name, target] - 1

    def affine_error_left_out(self, target: str, name: str) -> float:
        others = [other for other in self.names if other != name]
        gmacs = np.array([self.gmacs[other] for other in others])
        a, b = affine(gmacs, np.array([self.microseconds[other, target] for other in others]))
        return (a * self.gmacs[name] + b) / self.microseconds[name, target] - 1


def percent(value: float) -> str:
    return f"{100 * value:+.1f}"


def tables_of(data: Data, parameters: dict) -> str:
    """The fitted part of docs/estimates.md."""
    errors = {(n, t): data.error_left_out(t, n) for n in data.names for t in data.targets}
    affine_errors = {(n, t): data.affine_error_left_out(t, n) for n in data.names for t in data.targets}
    lines = ["| target | " + " | ".join(NAMES) + " |", "|---|" + "---|" * len(NAMES)]
    lines += [f"| {t} | " + " | ".join(f"{p:.4g}" for p in parameters[t]) + " |" for t in data.targets]
    lines += ["", "Errors of networks that were left out of the fit, in percent of the published time:", ""]
    lines += ["| | " + " | ".join(data.targets) + " |", "|---|" + "---|" * len(data.targets)]

    def row(label, table, statistic):
        values = [statistic([abs(table[n, t]) for n in data.names]) for t in data.targets]
        return f"| {label} | " + " | ".join(f"{100 * value:.1f}" for value in values) + " |"

    for label, table in (("this model", errors), ("a·GMAC + b", affine_errors)):
        for statistic in (np.median, np.mean, np.max):
            lines.append(row(f"{label}, {statistic.__name__.replace('amax', 'max')}", table, statistic))
    lines += ["", "| network | GMAC | " + " | ".join(f"{t}: ms, error %" for t in data.targets) + " |"]
    lines.append("|---|---|" + "---|" * len(data.targets))
    for name in data.names:
        cells = [f"{data.microseconds[name, t] / 1e3:.2f}, {percent(errors[name, t])}" for t in data.targets]
        lines.append(f"| {name} | {data.gmacs[name]:.2f} | " + " | ".join(cells) + " |")
    lines += ["", "Measured products of matrices on one core of RK3588, part of its fit:", ""]
    lines += ["| product | measured ms | estimated ms |", "|---|---|---|"]
    for name in data.matmuls:
        predicted = predict(data.tables[name, "rk3588"], parameters["rk3588"])
        lines.append(f"| {name} | {data.microseconds[name, 'rk3588'] / 1e3:.3f} | {predicted / 1e3:.3f} |")
    return "\n".join(lines)


# SoCs without rates of their own: whose parameters they take, and what is known of them (docs/estimates.md).
BORROWED = {
    "rk2118": ("rk3568", {"cycles_per_byte": 400 / 3000, "layer_microseconds": 5.5, "run_microseconds": 65}),
    "rk3566": ("rk3568", {}),
    "rv1103": ("rk3568", {"cycles_per_byte": 420 / 3000, "layer_microseconds": 5.5, "run_microseconds": 65}),
    "rv1103b": ("rk3568", {"cycles_per_byte": 500 / 3000, "layer_microseconds": 5.5, "run_microseconds": 65}),
    "rv1106": ("rk3568", {"cycles_per_byte": 500 / 3000, "layer_microseconds": 5.5, "run_microseconds": 65}),
    "rv1106b": ("rk3568", {"cycles_per_byte": 500 / 3000, "layer_microseconds": 5.5, "run_microseconds": 65}),
    "rv1126b": ("rk3576", {}),
}
CALIBRATED = ("rk3562", "rk3566", "rk3568", "rk3576", "rk3588")


def rows_of(parameters: dict) -> str:
    """The C++ table."""
    text = ""
    for target in sorted([*parameters, *BORROWED]):
        source, known = BORROWED.get(target, (target, {}))
        values = dict(zip(NAMES, parameters[source], strict=True)) | known
        fields = ",\n     ".join(f".{name} = {values[name]:.5g}" for name in NAMES)
        calibrated = "true" if target in CALIBRATED else "false"
        text += f'    {{.target = "{target}",\n     .calibrated = {calibrated},\n     {fields}}},\n'
    return text


def replace_between(path: pathlib.Path, begin: str, end: str, text: str):
    old = path.read_text()
    head, rest = old.split(begin, 1)
    path.write_text(head + begin + "\n" + text + end + rest.split(end, 1)[1])


def main(*arguments: str):
    with tempfile.TemporaryDirectory() as folder:
        data = Data(folder)
    parameters = {target: data.fit(target) for target in data.targets}
    text = tables_of(data, parameters)
    print(text)
    if "--write" in arguments:
        replace_between(PARAMETERS, "kParameters = {{", "}};", rows_of(parameters))
        replace_between(DOCUMENT, BEGIN, END, text + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
