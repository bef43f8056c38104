"""Writes small TFLite models, and runs them in LiteRT's reference kernels."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(np.bool_): schema.TensorType.BOOL,
    np.dtype(np.int16): schema.TensorType.INT16,
    np.dtype(np.int8): schema.TensorType.INT8,
}


class TfliteWriter:
    """Operators in order. Tensors are indices; of results LiteRT finds the shapes itself."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators, self.graph.inputs, self.graph.outputs = [], [], [], []
        self.buffers = [schema.BufferT()]
        self.codes = []

    def draw(self, *shape, low=-1.0, high=1.0):
        return self.random.uniform(low, high, shape).astype(np.float32)

    def tensor(self, name, dtype, shape=(), scale=None, zero_point=0, axis=0, buffer=0, variable=False):
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.shape = name, TYPES[np.dtype(dtype)], list(shape)
        tensor.buffer, tensor.isVariable = buffer, variable
        if scale is not None:
            scales = np.atleast_1d(np.float32(scale))
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales.tolist()
            tensor.quantization.zeroPoint = np.broadcast_to(np.int64(zero_point), scales.shape).tolist()
            tensor.quantization.quantizedDimension = axis
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def input(self, shape, dtype=np.float32, name=None, **quantization):
        index = self.tensor(name or f"input{len(self.graph.inputs)}", dtype, shape, **quantization)
        self.graph.inputs.append(index)
        return index

    def constant(self, array, **quantization):
        array = np.asarray(array, order="C")
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.buffers.append(buffer)
        name = f"constant{len(self.graph.tensors)}"
        return self.tensor(name, array.dtype, array.shape, buffer=len(self.buffers) - 1, **quantization)

    def ints(self, *numbers):
        return self.constant(np.int32(numbers))

    def op(self, name, inputs, options=None, dtype=np.float32, results=1, output=None, kind=None, **fields):
        """`fields` are those of the options, `options` names their table; `output`: parameters of a coded result."""
        operator = schema.OperatorT()
        custom = not hasattr(schema.BuiltinOperator, name)
        code = schema.OperatorCodeT()
        code.builtinCode = schema.BuiltinOperator.CUSTOM if custom else getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = name if custom else None
        code.version = kind or 1
        self.codes.append(code)
        operator.opcodeIndex = len(self.codes) - 1
        operator.inputs = list(inputs)
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, options + "T")()
            for key, value in fields.items():
                assert hasattr(operator.builtinOptions, key), f"{options} has no {key}"
                setattr(operator.builtinOptions, key, value)
        elif "custom_options" in fields:
            operator.customOptions = np.frombuffer(fields["custom_options"], np.uint8)
        dtypes = dtype if isinstance(dtype, (list, tuple)) else [dtype] * results
        operator.outputs = [
            self.tensor(f"{name.lower()}{len(self.codes)}_{i}", each, **(output or {})) for i, each in enumerate(dtypes)
        ]
        self.graph.operators.append(operator)
        return operator.outputs[0] if len(dtypes) == 1 else operator.outputs

    def convolution(self, x, outputs, weights=None, bias=True, kernel=3, channels=4, **fields):
        weights = self.draw(outputs, kernel, kernel, channels) if weights is None else weights
        operands = [x, self.constant(weights)] + ([self.constant(self.draw(outputs))] if bias else [])
        fields = {"padding": 0, "strideW": 1, "strideH": 1, **fields}
        return self.op("CONV_2D", operands, "Conv2DOptions", **fields)

    def bytes(self, *outputs):
        self.graph.outputs = list(outputs)
        model = schema.ModelT()
        model.version, model.description = 3, "written for a test"
        model.subgraphs, model.buffers, model.operatorCodes = [self.graph], self.buffers, self.codes
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def write(self, path, *outputs):
        path.write_bytes(self.bytes(*outputs))
        return path


def run_litert(path, *inputs, reference=True):
    """Outputs in the order of the model."""
    resolver = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    interpreter = Interpreter(str(path), experimental_op_resolver_type=resolver, num_threads=1)
    interpreter.allocate_tensors()
    for details, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(details["index"], array)
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]
