"""Saves small models with torch and records what they compute: data/torchscript/NAME.pt and NAME.npz.

pip install numpy torch==2.13.0; python record_torchscript.py

An archive holds many operators, one output each: NAME.npz has in0, in1, …, out0, out1, … and the outputs' names. The
numbers are drawn one after another, so that a row more changes those of all that come after it.
"""

import warnings

import torch
from torch.ao import quantization
from torch.ao.quantization import quantize_fx
from torchscript_functions import record_functions
from torchscript_layers import record_layers
from torchscript_models import Counting, Detector, Eager, Scripted, Steps
from torchscript_recording import draw, write

IMAGE = (1, 4, 6, 5)
warnings.filterwarnings("ignore")
torch.manual_seed(0)


def record_exported():
    model, x = Detector().eval(), draw(1, 3, 16, 16)
    program = torch.export.export(model, (x,))
    write("exported", program, [x], model(x))
    write("decomposed", program.run_decompositions(), [x], model(x))
    x = draw(4, 3, 16, 16)
    sizes = {"x": {0: torch.export.Dim("batch", min=2, max=8)}}
    write("open_batch", torch.export.export(model, (x,), dynamic_shapes=sizes), [x], model(x))


def record_quantized():
    torch.backends.quantized.engine = "qnnpack"
    samples = [draw(1, 3, 16, 16, low=-1, high=1) for _ in range(20)]

    def fed(model):
        for x in samples:
            model(x)
        return model

    mapping = quantization.get_default_qconfig_mapping("qnnpack")
    by_fx = quantize_fx.convert_fx(fed(quantize_fx.prepare_fx(Detector().eval(), mapping, (samples[0],))))
    write("quantized_fx", torch.jit.trace(by_fx, samples[0]), samples[:1], by_fx(samples[0]))

    mapping = quantization.get_default_qat_qconfig_mapping("qnnpack")
    trained = fed(quantize_fx.prepare_qat_fx(Detector().train(), mapping, (samples[0],))).eval()
    trained.apply(quantization.disable_observer)
    write("fake_quantized", torch.jit.freeze(torch.jit.trace(trained, samples[0])), samples[:1], trained(samples[0]))

    by_hand = quantization.fuse_modules(Eager().eval(), [["layer", "relu"]])
    by_hand.qconfig = quantization.get_default_qconfig("x86")  # weights by channel
    torch.backends.quantized.engine = "x86"
    by_hand = quantization.convert(fed(quantization.prepare(by_hand)))
    write("quantized_eager", torch.jit.script(by_hand), samples[:1], by_hand(samples[0]))


def record_all():
    x, y, positive, vector = draw(*IMAGE), draw(*IMAGE), draw(*IMAGE, low=0.1), draw(4, 1, 1)
    record_functions(x, y, positive, vector)
    record_layers(x)
    for name, model, shape in [("scripted", Scripted(), IMAGE), ("steps", Steps(), (1, 4, 5))]:
        x = draw(*shape)
        scripted = torch.jit.script(model.eval())
        write(name, scripted, [x], model(x))
        if name == "scripted":
            write("frozen", torch.jit.freeze(scripted), [x], model(x))
    x = draw(3)
    counting = torch.jit.script(Counting())
    write("counting", counting, [x], [Counting()(x, 3)])
    record_exported()
    record_quantized()


if __name__ == "__main__":
    record_all()
