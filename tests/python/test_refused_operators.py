"""What is not imported is refused by name, with the reason and the way out; nothing of the standard is forgotten."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("openrknn")
from node_model import make_model, refusal  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

FORGOTTEN = "no translation is built"
LATEST = {s.name: s for s in onnx.defs.get_all_schemas() if s.domain == ""}


def lone_node(schema, domain=""):
    """A node of the type with as many inputs and outputs as it must have: enough to ask whether it is known."""
    inputs = [np.zeros((1, 2, 3), np.float32)] * max(1, schema.min_input)
    return make_model(schema.name, {}, inputs, max(1, schema.min_output), onnx.defs.onnx_opset_version(), domain=domain)


def said_of(folder, model):
    try:
        return refusal(folder, model)
    except AssertionError:
        return ""  # imported


@pytest.mark.parametrize("op", [n for n, s in LATEST.items() if not s.deprecated])
def test_every_operator_of_the_standard_is_translated_or_refused_with_a_reason(tmp_path, op):
    assert FORGOTTEN not in said_of(tmp_path, lone_node(LATEST[op]))


def test_an_operator_nobody_defined_is_what_has_no_reason(tmp_path):
    model = make_model("NoSuchOperator", {}, [np.zeros(3, np.float32)])
    assert FORGOTTEN in refusal(tmp_path, model)


REASONS = {
    "text is not processed": ["StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"],
    "sequences and optional values": [
        *("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength"),
        *("SequenceMap", "SplitToSequence", "ConcatFromSequence"),
        *("Optional", "OptionalGetElement", "OptionalHasElement"),
    ],
    "feed the numbers as an input": [
        *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    ],
    "give it pixels": ["ImageDecoder"],
}


@pytest.mark.parametrize("reason, op", [(reason, op) for reason, ops in REASONS.items() for op in ops])
def test_refused_families_say_why(tmp_path, reason, op):
    model = lone_node(LATEST[op])
    text = refusal(tmp_path, model)
    assert "import.unsupported-op" in text and reason in text and op in text


@pytest.mark.parametrize("op", ["Gradient", "Adam", "Adagrad", "Momentum"])
def test_training_domains_are_refused(tmp_path, op):
    model = make_model(op, {}, [np.zeros(3, np.float32)], domain="ai.onnx.preview.training")
    assert "training" in refusal(tmp_path, model)


@pytest.mark.parametrize("op", ["TreeEnsembleClassifier", "SVMRegressor", "Scaler", "LabelEncoder"])
def test_classical_machine_learning_is_refused(tmp_path, op):
    model = make_model(op, {}, [np.zeros(3, np.float32)], domain="ai.onnx.ml")
    assert "classical machine learning" in refusal(tmp_path, model)


def test_a_removed_operator_says_when_it_went(tmp_path):
    model = make_model("Scatter", {}, [np.zeros((1, 2), np.float32)] * 3, opset=11)
    assert "removed after opset 10" in refusal(tmp_path, model)


TYPES = {
    "STRING": "turn it into numbers",
    "COMPLEX64": "real and imaginary parts",
    "FLOAT8E4M3FN": "no floats of fewer than 16 bits",
    "FLOAT8E5M2FNUZ": "no floats of fewer than 16 bits",
    "FLOAT4E2M1": "no floats of fewer than 16 bits",
    "INT2": "use int4",
    "UINT2": "use int4",
}


@pytest.mark.parametrize("kind", TYPES)
def test_element_types_are_refused_with_the_way_out(tmp_path, kind):
    port = helper.make_tensor_value_info("x", TensorProto.DataType.Value(kind), [2])
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "case", [port], [onnx.ValueInfoProto(name="y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=12)
    text = refusal(tmp_path, model)
    assert kind.lower() in text and TYPES[kind] in text and "'x'" in text
