"""Random small ONNX graphs of every supported operator, with the values onnxruntime gives them.

A `Builder` grows a graph node by node. Each node is run by onnxruntime as it is added, so a maker can look at the values
it reads: operators that jump (Floor, ArgMax, TopK, ...) read only tensors that are exact, others only values in a domain
where small errors stay small, and what turns out infinite or huge is taken back.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(4)

OPSET = 24
LARGEST = 1e4  # values beyond hide errors of others in the same tensor


class Rejected(Exception):
    """The node cannot be added to this graph: draw another one."""


def run_model(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def type_of(array):
    return helper.np_dtype_to_tensor_dtype(array.dtype)


class Builder:
    def __init__(self, draw_integer, seed, opset=OPSET):
        self.draw_integer = draw_integer  # (lowest, highest) -> int, both included
        self.random = np.random.default_rng(seed)
        self.opset = opset
        self.values, self.exact = {}, set()
        self.inputs, self.constants, self.nodes, self.used = [], [], [], set()

    # ---- choices

    def integer(self, lowest, highest):
        return self.draw_integer(lowest, highest)

    def choice(self, options):
        return options[self.integer(0, len(options) - 1)]

    def flag(self):
        return self.integer(0, 1) == 1

    # ---- tensors

    def numbers(self, shape, low=-2.0, high=2.0):
        """Multiples of 1/8: sums and products of a few are exact, and none is a near tie of another."""
        return (self.random.integers(int(low * 8), int(high * 8) + 1, shape) / 8).astype(np.float32)

    def input(self, array):
        name = f"x{len(self.inputs)}"
        self.inputs.append(name)
        self.values[name] = np.asarray(array)
        self.exact.add(name)
        return name

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(name)
        self.values[name] = np.asarray(array)
        return name

    def pick(self, rank=None, least=0, most=6, fits=None, exact=False, dtype=np.float32):
        """A tensor of the graph that fits, or a new input. `rank`, else `least` to `most` dimensions."""
        least, most = (rank, rank) if rank is not None else (least, most)

        def suits(name):
            value = self.values[name]
            return (
                value.size > 0  # onnxruntime refuses empty tensors here and there; the standard's cases have them
                and value.dtype == dtype
                and least <= value.ndim <= most
                and (not exact or name in self.exact)
                and (fits is None or fits(value))
            )

        # The newest first, so that nodes form chains.
        names = [n for n in reversed(list(self.values)) if not n.startswith("c") and suits(n)]
        if names and self.integer(0, 4) > 0:
            return names[min(self.integer(0, 2), len(names) - 1)]
        for _ in range(20):
            count = self.integer(max(least, 1) if least else 0, min(most, 4) if most > 4 and least <= 4 else most)
            shape = [self.integer(1, 5) for _ in range(count)]
            if count == 4:
                shape = [self.integer(1, 2), self.choice([1, 2, 3, 4, 8]), self.integer(3, 7), self.integer(3, 7)]
            if dtype == np.bool_:
                array = self.random.integers(0, 2, shape).astype(bool)
            elif np.issubdtype(dtype, np.integer):
                array = self.random.integers(-4 if np.issubdtype(dtype, np.signedinteger) else 0, 5, shape).astype(
                    dtype
                )
            else:
                array = self.numbers(shape)
            if fits is None or fits(array):
                return self.input(array)
        raise Rejected("no tensor fits")

    def shape(self, name):
        return self.values[name].shape

    def rank(self, name):
        return self.values[name].ndim

    def axis(self, name):
        rank = self.rank(name)
        if rank == 0:
            raise Rejected("no axes")
        return self.integer(-rank, rank - 1)

    def axes(self, name):
        """Some axes, each given from the front or from the back."""
        rank = self.rank(name)
        chosen = [a for a in range(rank) if self.flag()] or list(range(min(rank, 1)))
        return [a - rank if self.flag() else a for a in chosen]

    # ---- nodes

    def node(self, op, inputs, outputs=1, exact=False, domain="", **attributes):
        """Adds a node and runs it. `exact`: exact inputs give an exact output."""
        names = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        attributes = {k: v for k, v in attributes.items() if v is not None}
        node = helper.make_node(op, inputs, names, **attributes)
        feeds = {n: self.values[n] for n in dict.fromkeys(inputs) if n and n not in self.constants}
        initializers = [numpy_helper.from_array(self.values[n], n) for n in set(inputs) if n in self.constants]
        infos = [helper.make_tensor_value_info(n, type_of(v), v.shape) for n, v in feeds.items()]
        graph = helper.make_graph([node], "one", infos, [onnx.ValueInfoProto(name=n) for n in names], initializers)
        try:
            results = [np.asarray(r) for r in run_model(self.wrap(graph), feeds)]
        except Exception as error:
            raise RuntimeError(
                f"onnxruntime on {op} {attributes} {[v.shape for v in feeds.values()]}: {error}"
            ) from error
        for result in results:
            if result.size > 20000 or result.ndim > 6:
                raise Rejected("too large")
            if result.dtype.kind == "f" and not np.all(np.abs(result) < LARGEST):
                raise Rejected("not finite, or huge")
        self.nodes.append(node)
        self.used.update(inputs)
        is_exact = exact and all(n in self.exact or n in self.constants for n in inputs if n)
        for name, result in zip(names, results, strict=True):
            self.values[name] = result
            if is_exact or result.dtype.kind in "biu":
                self.exact.add(name)
        return names[0] if outputs == 1 else names

    def wrap(self, graph):
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)

    def model(self):
        """The whole graph; its outputs are the tensors nobody reads."""
        outputs = [o for node in self.nodes for o in node.output if o not in self.used]
        inputs = [n for n in self.inputs if n in self.used]
        infos = [helper.make_tensor_value_info(n, type_of(self.values[n]), self.shape(n)) for n in inputs]
        results = [helper.make_tensor_value_info(n, type_of(self.values[n]), self.shape(n)) for n in outputs]
        constants = [numpy_helper.from_array(self.values[n], n) for n in self.constants if n in self.used]
        graph = helper.make_graph(self.nodes, "random", infos, results, constants)
        return self.wrap(graph), {n: self.values[n] for n in inputs}, {n: self.values[n] for n in outputs}

    def operators(self):
        return [node.op_type for node in self.nodes]


def bool_graph(op, value):
    """A branch of If: one node on an outer tensor."""
    node = helper.make_node(op, [value], [f"{op}_out"])
    return helper.make_graph([node], op, [], [onnx.ValueInfoProto(name=f"{op}_out")])


TENSOR_BOOL, TENSOR_INT64, TENSOR_FLOAT = TensorProto.BOOL, TensorProto.INT64, TensorProto.FLOAT
