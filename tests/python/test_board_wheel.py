"""The boards' wheel in a Python for aarch64, run by qemu: it imports, runs models to the same bits, and says what it lacks.

OPENRKNN_BOARD_PYTHON names the interpreter that tools/board_python made.
"""

import os
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402

PROGRAM = """
import platform, sys
import numpy as np
import openrknn
assert platform.machine() == "aarch64", platform.machine()
file, feed, out = sys.argv[1:]
image = np.load(feed)
with openrknn.InferenceSession(file) as session:
    outputs = session.run(None, {session.get_inputs()[0].name: image})
    futures = [session.submit(None, {"image": image}) for _ in range(6)]
    for future in futures:
        for a, b in zip(future.result(), outputs):
            assert a.tobytes() == b.tobytes()
np.savez(out, *outputs)
for name in ("compile", "edit_onnx", "import_model", "load"):
    try:
        getattr(openrknn, name)("net.onnx")
        raise SystemExit(name + " did not refuse")
    except RuntimeError as error:
        assert "convert on a PC" in str(error), error
import rknnlite.api, ztu_somemodelruntime_ez_rknn_async
lite = rknnlite.api.RKNNLite()
assert lite.load_rknn(file) == 0 and lite.init_runtime() == 0
for a, b in zip(lite.inference(inputs=[image.transpose(0, 2, 3, 1)]), outputs):
    assert np.asarray(a).tobytes() == b.tobytes()
lite.release()
"""


@pytest.mark.parametrize("quantize", ["w8a8", None], ids=["int8", "float16"])
def test_wheel_on_a_board(quantize, tmp_path):
    interpreter = os.environ.get("OPENRKNN_BOARD_PYTHON")
    if not interpreter:
        pytest.skip("OPENRKNN_BOARD_PYTHON names no Python for boards")
    path = small_models.save(small_models.cnn(size=32), tmp_path / "cnn.onnx")
    images = [small_models.photo(32, 32, seed).transpose(2, 0, 1)[None] for seed in range(4)]
    samples = [[image.astype(np.float32)] for image in images[:3]] if quantize else None
    file = tmp_path / "cnn.rknn"
    openrknn.compile(path, quantize=quantize, dataset=samples, mean=[127.5] * 3, std=[127.5] * 3).save(file)
    np.save(tmp_path / "feed.npy", images[3])
    (tmp_path / "program.py").write_text(PROGRAM)
    arguments = [tmp_path / "program.py", file, tmp_path / "feed.npy", tmp_path / "out.npz"]
    # tmp_path as the folder: the sources beside this test must not be what is imported.
    done = subprocess.run(
        [os.path.abspath(interpreter), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = np.load(tmp_path / "out.npz")
    with openrknn.InferenceSession(str(file)) as session:
        expected = session.run(None, {"image": images[3]})
    for i, output in enumerate(expected):
        assert seen[f"arr_{i}"].tobytes() == output.tobytes()
