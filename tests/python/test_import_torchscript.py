"""TorchScript: recorded outputs of torch, archives written by hand, what is refused. Nothing here needs torch."""

import importlib.util
import json
import pickle
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from digits import int8_accuracy  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402
from torchscript_writer import encode, tensor, write  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

F = np.float32
DATA = Path(__file__).parent / "data" / "torchscript"
RECORDED = sorted(path.name for path in DATA.glob("*.pt*"))
QUANTIZED = ["quantized_fx", "quantized_eager", "fake_quantized"]


def arrays(held, kind):
    return [held[f"{kind}{i}"] for i in range(sum(name.startswith(kind) for name in held.files))]


def imported(path, *inputs, **options):
    return openrknn.import_model(path, input_shapes=[list(x.shape) for x in inputs], **options)


def run(path, *inputs, **options):
    return imported(path, *inputs, **options).run(list(inputs))


def refused(path, shapes=((1, 4),), **options):
    with pytest.raises(openrknn.Error) as caught:
        openrknn.import_model(path, input_shapes=[list(shape) for shape in shapes], **options)
    return str(caught.value)


@pytest.mark.parametrize("name", RECORDED)
def test_operators_give_what_torch_gives(name):
    held = np.load((DATA / name).with_suffix(".npz"))
    inputs, expected = arrays(held, "in"), arrays(held, "out")
    frozen = {"initial_values": {"times": np.array(3)}} if name == "counting.pt" else {}
    outputs = run(DATA / name, *inputs, **frozen)
    assert len(outputs) == len(expected)
    for operator, got, wanted in zip(held["names"], outputs, expected, strict=True):
        assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype), operator
        known = np.isfinite(wanted)
        assert np.array_equal(np.isnan(got), np.isnan(wanted)), operator
        largest = max(1.0, np.abs(wanted[known]).max())
        assert np.abs(got[known].astype(np.float64) - wanted[known]).max() <= 2e-6 * largest, operator


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_models_keep_their_parameters(name):
    held = np.load(DATA / f"{name}.npz")
    (x,), (wanted,) = arrays(held, "in"), arrays(held, "out")
    graph = imported(DATA / f"{name}.pt", x)
    model = openrknn.compile(graph, target="rk3588", quantize=None)
    assert "Conv(" in str(model) and "float16" not in str(model)
    # One code of the output, where sums lie between two of them.
    code = np.ptp(wanted) / 100
    assert np.abs(model.run([x])[0] - wanted).max() <= code


def test_archives_may_be_stored_or_compressed(tmp_path):
    x = np.array([[-1, 2, -3, 4]], F)
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = write(tmp_path / f"{packing}.pt", "return torch.relu(x)", packing=packing)
        assert np.array_equal(run(path, x)[0], np.maximum(x, 0))


def test_weights_of_every_type_and_stride_are_read(tmp_path):
    content = np.arange(24, dtype=F)
    storages = {
        "0": content.tobytes(),
        "1": content.astype(np.float64).tobytes(),
        "2": content.astype(np.float16).tobytes(),
        "3": (content.view(np.uint32) >> 16).astype(np.uint16).tobytes(),
        "4": content.astype(np.int64).tobytes(),
    }
    kinds = ["FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage", "LongStorage"]
    for key, kind in zip(storages, kinds, strict=True):
        turned = tensor(key, (3, 2), strides=(1, 4), kind=kind, count=24, offset=5)
        path = write(tmp_path / "net.pt", "return torch.add(x, self.w)", attributes={"w": turned}, data=storages)
        wanted = np.array([[5, 9], [6, 10], [7, 11]], F)
        assert np.array_equal(run(path, np.zeros((3, 2), F))[0], wanted), kind
    one = tensor("0", (4, 3), strides=(0, 0), count=24)
    path = write(tmp_path / "net.pt", "return torch.add(x, self.w)", attributes={"w": one}, data=storages)
    assert np.array_equal(run(path, np.ones((4, 3), F))[0], np.ones((4, 3), F))


def test_tensors_are_called_as_the_code_calls_them(tmp_path):
    body = "y = torch.relu(x)\ninput = torch.neg(y)\n_0 = torch.abs(input)\nreturn torch.exp(_0)"
    path = write(tmp_path / "net.pt", body)
    graph = openrknn.import_model(path, input_shapes=[[1, 4]])
    assert [name for node in graph.nodes for name in node["outputs"]] == ["y", "input", "abs", "exp"]
    assert graph.inputs[0][0] == "x" and graph.nodes[0]["origins"] == ["relu"]
    (cut,) = run(path, np.array([[-1, 2, -3, 4]], F), outputs=["input"])
    assert np.array_equal(cut, np.array([[0, -2, 0, -4]], F))
    assert "names 'nowhere'" in refused(path, outputs=["nowhere"])


def test_integers_of_python_are_those_of_python(tmp_path):
    body = """n = torch.size(x, 1)
a = torch.floordiv(torch.neg(n), 3)
b = torch.remainder(torch.neg(n), 3)
c = torch.__range_length(0, 10, 3)
d = torch.add([1, 2], [3])
torch.append(d, int(torch.div(7, 2)))
if torch.__contains__(d, 3):
  e = torch.len(d)
else:
  e = 100
f = torch.slice(d, 1, None)
return torch.add(x, torch.tensor([a, b, c, torch.add(e, (f)[-1])]))"""
    path = write(tmp_path / "net.pt", body)
    assert np.array_equal(run(path, np.zeros((1, 4), F))[0], [[-4 // 3, -4 % 3, 4, 4 + 3]])


def test_items_of_enums_equal_each_other(tmp_path):
    item = b"c__torch__\nOrder\n" + encode("last") + b"R"
    extra = 'class Order(Enum):\n  FIRST = "first"\n  LAST = "last"\n'
    body = """d = dict([("a", torch.sum([1, 2, 3]))])
if torch.eq(self.order, __torch__.Order.FIRST):
  y = torch.neg(x)
else:
  y = torch.mul(x, (d)["a"])
if torch.eq(self.order, __torch__.Order.LAST):
  z = torch.add(y, 1)
else:
  z = y
return z"""
    path = write(tmp_path / "net.pt", body, extra=extra, attributes={"order": item})
    assert np.array_equal(run(path, np.ones((1, 2), F))[0], [[7, 7]])
    missing = write(tmp_path / "b.pt", "return torch.eq(1, __torch__.Order.MIDDLE)", extra=extra)
    assert "has no 'MIDDLE'" in refused(missing)


def test_loops_that_do_not_end_are_ended(tmp_path):
    assert "runs for more than 1000000 steps" in refused(write(tmp_path / "a.pt", "while True:\n  y = 1\nreturn x"))
    grows = "y = [1]\nfor i in range(100):\n  y = torch.mul(y, 10)\nreturn x"
    assert "steps" in refused(write(tmp_path / "b.pt", grows))
    deep = "def again(x: Tensor) -> Tensor:\n  return __torch__.again(x)\n"
    assert "too deep" in refused(write(tmp_path / "c.pt", "return __torch__.again(x)", extra=deep))
    nested = f"return torch.relu({'(' * 400}x{')' * 400})"
    assert "100 deep" in refused(write(tmp_path / "d.pt", nested))


def test_a_way_that_depends_on_numbers_is_refused_with_its_line(tmp_path):
    body = "if bool(torch.gt(torch.sum(x), 0)):\n  y = x\nelse:\n  y = torch.neg(x)\nreturn torch.relu(y)"
    message = refused(write(tmp_path / "net.pt", body))
    assert "depends on a tensor that is not known before the model runs" in message
    assert "code/__torch__.py:6" in message


def test_all_operators_that_are_missing_are_told_together(tmp_path):
    body = "y = torch.fft_fft(x)\nz = torch.relu(y)\nu = torch.nonzero(x)\nv = torch.rand([2])\nreturn ops.my.magic(x)"
    message = refused(write(tmp_path / "net.pt", body))
    for part in ("aten::fft_fft: is not supported", "aten::nonzero", "random numbers", "my::magic: is not supported"):
        assert part in message
    assert "relu" not in message


def test_models_say_why_they_refuse_their_inputs(tmp_path):
    body = 'if torch.ne(torch.size(x, 1), 5):\n  ops.prim.RaiseException(torch.format("got {}", torch.size(x, 1)))\nreturn x'
    assert "the model refuses its inputs: got 4" in refused(write(tmp_path / "net.pt", body))


def test_wrong_shapes_are_told_with_the_place_in_the_code(tmp_path):
    message = refused(write(tmp_path / "net.pt", "y = torch.view(x, [3, -1])\nreturn torch.relu(y)"))
    assert "aten::view: 4 numbers of [1, 4] in the shape" in message and "code/__torch__.py:6" in message
    assert "is none of a tensor" in refused(write(tmp_path / "b.pt", "return torch.zeros([99999999, 99999999])"))
    assert "steps" in refused(
        write(tmp_path / "c.pt", "y = torch.zeros([8192, 2048])\n" * 20 + "return torch.add(x, y)")
    )


def test_shapes_and_numbers_that_forward_needs_are_asked_for_together(tmp_path):
    path = write(tmp_path / "net.pt", "return torch.mul(x, n)", arguments="x: Tensor, n: int, m: List[Tensor]")
    message = refused(path, shapes=())
    assert "says no shape of the input 'x'" in message and "input_size_list=[[1, 3, 224, 224]]" in message
    assert (
        "the argument 'n' of forward is of type int" in message and "'m' of forward is of type List[Tensor]" in message
    )
    path = write(tmp_path / "net.pt", "return torch.mul(x, n)", arguments="x: Tensor, n: int=2")
    assert np.array_equal(run(path, np.ones((1, 2), F))[0], [[2, 2]])
    assert np.array_equal(run(path, np.ones((1, 2), F), initial_values={"n": np.array(3)})[0], [[3, 3]])
    assert "2 input shapes are given, there are 1 inputs" in refused(path, shapes=((1, 4), (1, 4)))


# ---- other files of torch


def test_weights_alone_are_explained(tmp_path):
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", b"\x80\x02ccollections\nOrderedDict\n)R.")
        archive.writestr("weights/version", b"3\n")
    assert "holds weights only (a state dict of torch.save)" in refused(path)
    assert "torch.jit.trace(model.eval()" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02c__main__\nNet\n)\x81.")
    assert "pickled Python model" in refused(path)
    path.write_bytes(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02")
    assert "before torch 1.6" in refused(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    assert "a Python pickle" in refused(path)


def test_exported_programs_say_their_shapes_themselves(tmp_path):
    graph = openrknn.import_model(DATA / "exported.pt2")
    assert graph.inputs == [("x", [1, 3, 16, 16], "float32")]
    assert graph.outputs[0][0] == "linear" and "conv2d" in [node["name"] for node in graph.nodes]
    assert openrknn.import_model(DATA / "open_batch.pt2", input_shapes=[[7, 3, 16, 16]]).outputs[0][1] == [7, 5]
    with pytest.raises(openrknn.Error, match="leaves dimensions of the input 'x' open"):
        openrknn.import_model(DATA / "open_batch.pt2")


def test_exported_programs_that_are_damaged_are_refused(tmp_path):
    path = tmp_path / "net.pt2"

    def with_program(change):
        with zipfile.ZipFile(DATA / "exported.pt2") as source, zipfile.ZipFile(path, "w") as target:
            for name in source.namelist():
                content = source.read(name)
                target.writestr(name, change(content.decode()) if name.endswith("models/model.json") else content)
        return refused(path, shapes=())

    assert "is no JSON" in with_program(lambda text: text[:1000])
    assert "200 deep" in with_program(lambda text: "[" * 100000)
    assert "not as torch.export writes it" in with_program(lambda text: text.replace('"nodes"', '"knots"'))
    assert "which nothing gives" in with_program(
        lambda text: text.replace('{"as_tensor": {"name": "x"}}, "kind"', '{"as_tensor": {"name": "y"}}, "kind"')
    )
    missing = with_program(lambda text: text.replace("torch.ops.aten.relu.default", "torch.ops.my.magic.default"))
    assert "my::magic: is not supported" in missing and "node 'relu'" in missing


def test_older_exported_programs_are_refused_with_what_to_do(tmp_path):
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/archive_format", b"pt2")
        archive.writestr("net/serialized_exported_program.json", b"{}")
    message = refused(path)
    assert "before 2.8" in message and "torch.onnx.export" in message


def test_an_archive_of_arrays_is_no_model(tmp_path):
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    assert "this is no model file" in refused(tmp_path / "arrays.npz")


# ---- bad pickles and archives


@pytest.mark.parametrize(
    "code, part",
    [
        (b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R.", "it would call os.system"),
        (b"c__torch__\nNet\n)\x81}b(i__main__\nNet\n.", "opcode 0x69 ('i')"),
        (b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R.", "it would call builtins.eval"),
        (b"(dp0\n.", "opcode 0x64 ('d')"),
        (b"h\x07.", "reads memo 7"),
        (b"X\xff\xff\xff\x7fab", "ends behind it"),
        (b"]" * 200 + b"a" * 199 + b".", "100 deep"),
        (b"]q\x00h\x00a.", "put into itself"),
        (b"t.", "there is no mark"),
        (b"", "it ends here"),
    ],
)
def test_pickles_execute_nothing_and_are_refused_by_place(code, part, tmp_path):
    path = write(tmp_path / "net.pt", "return x", pickle=b"\x80\x02" + code)
    message = refused(path)
    assert part in message and "data.pkl" in message


@pytest.mark.parametrize(
    "shape, options, part",
    [
        ((2, 3), {"strides": (300, 1)}, "tensor"),
        ((2, 3), {"offset": 99}, "tensor"),
        ((2, 3), {"kind": "ComplexFloatStorage"}, "numbers of type torch.ComplexFloatStorage"),
        ((1 << 40, 1 << 40), {}, "tensor"),
        ((-2, 3), {}, "tensor"),
    ],
)
def test_tensors_beyond_their_bytes_are_refused(shape, options, part, tmp_path):
    bad = tensor("0", shape, **{"count": 6, **options})
    path = write(tmp_path / "net.pt", "return torch.add(x, self.w)", attributes={"w": bad}, data={"0": bytes(24)})
    assert part in refused(path)
    gone = tensor("9", (2, 3))
    path = write(tmp_path / "net.pt", "return torch.add(x, self.w)", attributes={"w": gone})
    assert "no entry 'data/9'" in refused(path)


def test_archives_that_would_unpack_to_more_than_a_model_are_refused(tmp_path):
    path = write(tmp_path / "net.pt", "return x", data={"0": bytes(1 << 20)}, packing=zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    size = content.find(struct.pack("<I", 1 << 20), content.rfind(b"PK\x01\x02", 0, content.rfind(b"net/data/0")))
    content[size : size + 4] = struct.pack("<I", 0xFFFFFF00)
    path.write_bytes(content)
    weights = {"w": tensor("0", (4,), count=1 << 18)}
    archive = write(
        tmp_path / "b.pt", "return torch.add(x, self.w)", attributes=weights, data={"0": bytes(1 << 20)}, packing=8
    )
    content = bytearray(archive.read_bytes())
    at = content.rfind(b"net/data/0") - 46 + 24
    assert content[at : at + 4] == struct.pack("<I", 1 << 20)
    content[at : at + 4] = struct.pack("<I", 0xFFFFFF00)
    archive.write_bytes(content)
    assert "more than a model needs" in refused(archive)


def test_every_cut_of_an_archive_is_an_error(tmp_path):
    content = write(tmp_path / "net.pt", "return torch.relu(x)").read_bytes()
    path = tmp_path / "cut.pt"
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        assert "cut.pt" in refused(path)


# ---- calls


@pytest.mark.proves("load_pytorch.model", "load_pytorch.input_size_list")
def test_the_documented_calls(tmp_path, capfd):
    path = write(tmp_path / "net.pt", "return torch.relu(torch.mul(x, 2))")
    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588")
    assert rknn.load_pytorch(model=str(tmp_path / "none.pt"), input_size_list=[[1, 3, 4, 4]]) == -1
    assert rknn.load_onnx(model=str(path)) == -1
    assert "this is a model of TorchScript, expected one of ONNX" in "".join(capfd.readouterr())
    assert rknn.load_pytorch(model=str(path), input_size_list=[[1, 3, 4, 4]]) == 0
    assert rknn.build(do_quantization=False) == 0
    assert rknn.init_runtime() == 0
    image = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    (got,) = rknn.inference(inputs=[image])
    assert np.array_equal(got, image.transpose(0, 3, 1, 2).astype(F) * 2)
    rknn.release()


def test_command_line(tmp_path):
    path = write(tmp_path / "network.bin", "return torch.relu(x)")
    shapes = ["--input-size-list", "[[1, 3, 8, 8]]"]

    def said(*arguments):
        done = subprocess.run([*command_line(), *map(str, arguments)], capture_output=True, text=True, check=True)
        return done.stdout

    assert "TorchScript" in said("inspect", path, *shapes) and "aten::relu 1" in said("inspect", path, *shapes)
    before = said("inspect", path)
    assert "takes   x: Tensor\n" in before and "calls   aten::relu 1" in before and "--input-size-list" in before
    told = json.loads(said("inspect", path, "--json"))
    assert told == {
        "framework": "TorchScript",
        "arguments": ["x: Tensor"],
        "operators": {"aten::relu": 1},
        "weights": 0,
    }
    converted = tmp_path / "net.rknn"
    assert json.loads(said("convert", path, *shapes, "-t", "rk3588", "--float", "-o", converted, "--json"))
    assert "TorchScript" in said("inspect", converted)


# ---- real models

MODELS = ["digits/mobiledigits", "digits/resdigits", "ultraface_slim/slim-320", "mtcnn_pnet/pnet", "mtcnn_rnet/rnet"]


@pytest.mark.parametrize("model", MODELS)
def test_models_give_the_recorded_outputs(model, shared):
    path = shared / "models" / f"{model}.pt"
    held = np.load(f"{path}.io.npz")
    for got, wanted in zip(run(path, *arrays(held, "in")), arrays(held, "out"), strict=True):
        assert got.shape == wanted.shape
        assert np.abs(got - wanted).max() <= 3e-6 * np.ptp(wanted)


@pytest.mark.parametrize("model, accuracy", [("mobiledigits", 0.994), ("resdigits", 0.996)])
def test_digits_keep_their_accuracy_in_int8_and_are_those_of_onnx(model, accuracy, shared):
    folder = shared / "models" / "digits"
    ours = openrknn.import_model(folder / f"{model}.pt", input_shapes=[[1, 1, 32, 32]])
    assert int8_accuracy(folder, ours) >= accuracy
    onnx = openrknn.import_model(folder / f"{model}.op12.onnx")
    for pixels in np.load(folder / "test.npz")["images"][:20]:
        image = ((pixels.reshape(1, 1, 32, 32) - 127.5) / 127.5).astype(F)
        assert np.abs(ours.run([image])[0] - onnx.run([image])[0]).max() <= 2e-4


def test_the_face_detector_is_that_of_onnx(shared):
    folder = shared / "models" / "ultraface_slim"
    x = np.load(folder / "slim-320.onnx.io.npz")["in0"]
    ours, onnx = run(folder / "slim-320.pt", x), openrknn.import_model(folder / "slim-320.onnx").run([x])
    for got, wanted in zip(ours, onnx, strict=True):
        assert np.abs(got - wanted).max() <= 1e-4


def test_voice_activity_is_that_of_its_onnx_form():
    found = importlib.util.find_spec("silero_vad")  # importing it would need torch
    if found is None:
        pytest.skip("silero_vad is not installed")
    package = Path(found.origin).parent / "data"
    x = np.random.default_rng(0).standard_normal((1, 512)).astype(F) * F(0.1)
    graph = imported(package / "silero_vad.jit", x, initial_values={"sr": np.array(16000)})
    shapes = {"input": [1, 576], "state": [2, 1, 128], "sr": []}
    frozen = {"sr": np.array(16000)}
    onnx = openrknn.import_model(package / "silero_vad.onnx", input_shapes=shapes, initial_values=frozen)
    context = np.concatenate([np.zeros((1, 64), F), x], axis=1)
    wanted = onnx.run([context, np.zeros((2, 1, 128), F)])[0]
    assert np.abs(graph.run([x])[0] - wanted).max() <= 1e-5


def test_encoding_is_that_of_python():
    assert pickle.loads(b"\x80\x02" + encode((1, -2.5, "text", None, True, (3,))) + b".") == (
        1,
        -2.5,
        "text",
        None,
        True,
        (3,),
    )


def test_every_command_reads_models_that_need_shapes_and_numbers(tmp_path):
    model = DATA / "counting.pt"
    given = ["--input-size-list", "[[3]]", "--initial-value", "times=3"]

    def done(*arguments):
        return subprocess.run([*command_line(), *map(str, arguments)], capture_output=True, text=True)

    for verb, part in [("inspect", "aten::add 3"), ("run", "float32"), ("profile", "nodes")]:
        assert part in done(verb, model, *given).stdout, verb
    exported = tmp_path / "net.onnx"
    assert done("export-onnx", model, *given, "-o", exported).returncode == 0 and exported.exists()
    converted = tmp_path / "net.rknn"
    assert done("convert", model, *given, "-t", "rk3588", "--float", "-o", converted).returncode == 0
    assert "SQNR" in done("run", converted, "--against", model, "--initial-value", "times=3").stdout
    missing = done("convert", model, *given[:2], "-t", "rk3588", "--float", "-o", converted)
    assert missing.returncode == 1 and "--initial-value times=" in missing.stderr
    wrong = done("inspect", model, "--initial-value", "times")
    assert wrong.returncode == 2 and "expected NAME=NUMBER, got times" in wrong.stderr + wrong.stdout
