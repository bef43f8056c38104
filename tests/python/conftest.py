"""What several test files share: small models on disk, datasets, and RKNN objects that are released."""

import os
import zlib
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
import small_models  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository():
    return REPOSITORY


@pytest.fixture(scope="session")
def shared():
    """The folder of test models that do not live in the repository; tests that need it are skipped without."""
    folder = os.environ.get("OPENRKNN_SHARED")
    if not folder or not Path(folder, "models").is_dir():
        pytest.skip("OPENRKNN_SHARED names no folder of test models")
    return Path(folder)


@pytest.fixture
def cnn(tmp_path):
    return small_models.save(small_models.cnn(), tmp_path / "cnn.onnx")


@pytest.fixture
def dense(tmp_path):
    return small_models.save(small_models.dense(), tmp_path / "dense.onnx")


@pytest.fixture
def photos():
    return [small_models.photo(16, 16, seed) for seed in range(4)]


@pytest.fixture
def dataset(tmp_path, photos):
    """A dataset file of NCHW arrays for the model `cnn`, lines relative to the file."""
    folder = tmp_path / "samples"
    folder.mkdir()
    names = []
    for i, image in enumerate(photos):
        np.save(folder / f"{i}.npy", image.transpose(2, 0, 1)[None].astype(np.float32))
        names.append(f"samples/{i}.npy")
    path = tmp_path / "dataset.txt"
    path.write_text("\n".join(names) + "\n")
    return path


@pytest.fixture
def rknn():
    """Makes RKNN objects and releases them."""
    api = pytest.importorskip("rknn.api")
    made = []

    def make(*args, **kwargs):
        made.append(api.RKNN(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.release()


@pytest.fixture
def built(rknn, cnn, dataset):
    """Builds the small network; keyword arguments go to config, `quantize` to build."""

    def build(quantize=False, model=cnn, **config):
        config.setdefault("target_platform", "rk3588")
        each = rknn()
        assert each.config(**config) == 0
        assert each.load_onnx(str(model)) == 0
        assert each.build(do_quantization=quantize, dataset=str(dataset) if quantize else None) == 0
        return each

    return build


@pytest.fixture
def cnn_rknn(built, tmp_path):
    """The small network as a float16 file."""
    path = tmp_path / "cnn.rknn"
    assert built().export_rknn(str(path)) == 0
    return path


@pytest.fixture
def case(tmp_path, request):
    """Random values of one operator test, the same at every run."""
    from operator_case import Case

    seed = zlib.crc32(request.node.name.encode())
    print("seed", seed)
    return Case(tmp_path, seed)


@pytest.fixture
def attention_cache(tmp_path):
    """The model of the toolkit's example of onnx_edit."""
    import onnx_edit_models

    return small_models.save(onnx_edit_models.attention_cache(), tmp_path / "concat_block.onnx")


@pytest.fixture
def stub():
    """A fake RKNN runtime; sessions made by it are closed at the end."""
    from stub_runtime import Stub

    runtime = Stub()
    yield runtime
    runtime.finish()


@pytest.fixture(scope="session")
def device_models(tmp_path_factory):
    """Paths by (input channels, output channels, "int8" or "float16"), compiled when first asked for."""
    from device_values import convolution, real_numbers

    import openrknn

    if not openrknn._core.has_compiler:
        pytest.skip("this build makes no models")
    folder, made = tmp_path_factory.mktemp("models"), {}

    def path_of(channels, outputs, kind):
        path = folder / f"{channels}_{outputs}_{kind}.rknn"
        if path not in made:
            source = small_models.save(convolution(channels, outputs), folder / "model.onnx")
            if kind == "int8":
                openrknn.compile(source, dataset=[real_numbers(channels, seed) for seed in range(4)]).save(path)
            else:
                openrknn.compile(source, quantize=None).save(path)
            made[path] = True
        return path

    return path_of


@pytest.fixture
def device_session(device_models):
    """Opens sessions on those models and closes them."""
    import openrknn

    opened = []

    def open_session(channels=3, outputs=80, kind="int8", **options):
        made = openrknn.InferenceSession(device_models(channels, outputs, kind), provider_options=options)
        opened.append(made)
        return made

    yield open_session
    for each in opened:
        each.close()


@pytest.fixture(params=range(12), ids=lambda seed: f"seed{seed}")
def spatial(request, tmp_path):
    """A random case of a spatial operator."""
    from spatial_case import Spatial

    return Spatial(tmp_path, request.param)
