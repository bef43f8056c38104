"""What the package for boards has in place of the compiler half: the same names, which say where their work is done."""


def _absent(name):
    return RuntimeError(
        f"openrknn.{name} is not in the package for boards, which runs .rknn files and makes none: "
        "convert on a PC, and run the file here with openrknn.InferenceSession"
    )


class Graph:
    def __init__(self, *_, **__):
        raise _absent("Graph")


class Model:
    def __init__(self, *_, **__):
        raise _absent("Model")


class Search:
    def __init__(self, *_, **__):
        raise _absent("Search")


def import_model(*_, **__):
    raise _absent("import_model")


def compile(*_, **__):
    raise _absent("compile")


def check(*_, **__):
    raise _absent("check")


def estimate(*_, **__):
    raise _absent("estimate")


def codegen(*_, **__):
    raise _absent("codegen")


def encrypt(*_, **__):
    raise _absent("encrypt")


def load(*_, **__):
    raise _absent("load")


def search(*_, **__):
    raise _absent("search")


def edit_onnx(*_, **__):
    raise _absent("edit_onnx")
