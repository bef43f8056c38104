"""`openrknn serve` as other programs meet it: urllib, and tritonclient where it is installed."""

import json
import subprocess
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from device_server import DeviceServer  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    path = small_models.save(small_models.cnn(), tmp_path_factory.mktemp("sources") / "cnn.onnx")
    samples = [[small_models.photo(16, 16, seed).transpose(2, 0, 1)[None].astype(np.float32)] for seed in range(3)]
    openrknn.compile(path, dataset=samples, mean=[127.5] * 3, std=[127.5] * 3).save(folder / "cnn.rknn")
    return folder


@pytest.fixture(scope="module")
def image():
    return small_models.photo(16, 16, 9).transpose(2, 0, 1)[None].astype(np.float32)


@pytest.fixture(scope="module")
def expected(models, image):
    with openrknn.InferenceSession(models / "cnn.rknn") as session:
        return dict(zip(["scores", "pooled"], session.run(None, {"image": image}), strict=True))


@pytest.fixture(scope="module")
def server(models):
    with DeviceServer(models) as running:
        while call(running, "GET", "/v2/health/ready", fails=True)[0] != 200:
            pass
        yield running


def call(server, method, path, body=None, headers=None, fails=False):
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        if not fails:
            raise AssertionError(error.read()) from error
        return error.code, error.headers, error.read()


def ask(server, method, path, body=None):
    return json.loads(call(server, method, path, body)[2])


def json_request(image, **extra):
    return {"inputs": [{"name": "image", "datatype": "FP32", "shape": list(image.shape), "data": image.ravel().tolist()}], **extra}  # fmt: skip


def test_the_server_and_its_models_are_described(server):
    assert ask(server, "GET", "/v2")["name"] == "openrknn"
    described = ask(server, "GET", "/v2/models/cnn")
    assert described["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [1, 3, 16, 16]}]
    assert [output["name"] for output in described["outputs"]] == ["scores", "pooled"]
    assert ask(server, "GET", "/v2/models/cnn/versions/1/config")["input"][0]["model_type"] == "tensor(int8)"
    assert "rk3588" in ask(server, "GET", "/openrknn/v1/device")["targets"]


def test_json_gives_what_the_session_gives(server, image, expected):
    outputs = ask(server, "POST", "/v2/models/cnn/infer", json_request(image, id="7"))
    assert outputs["id"] == "7"
    for output in outputs["outputs"]:
        array = np.array(output["data"], np.float32).reshape(output["shape"])
        np.testing.assert_array_equal(array, expected[output["name"]])


def test_binary_data_gives_what_the_session_gives(server, image, expected):
    raw = image.astype(np.uint8).tobytes()
    header = json.dumps(
        {
            "inputs": [{"name": "image", "datatype": "UINT8", "shape": list(image.shape), "parameters": {"binary_data_size": len(raw)}}],
            "outputs": [{"name": "pooled", "parameters": {"binary_data": True}}, {"name": "scores"}],
        }
    ).encode()  # fmt: skip
    _, headers, body = call(
        server, "POST", "/v2/models/cnn/infer", header + raw, {"Inference-Header-Content-Length": len(header)}
    )
    split = int(headers["Inference-Header-Content-Length"])
    pooled, scores = json.loads(body[:split])["outputs"]
    assert body[split:] == expected["pooled"].tobytes()
    assert pooled["parameters"] == {"binary_data_size": expected["pooled"].nbytes}
    np.testing.assert_array_equal(np.array(scores["data"], np.float32), expected["scores"].ravel())


@pytest.mark.parametrize(
    "body, part",
    [
        (b"{", "this is no JSON"),
        (b"{}", "'inputs' is missing"),
        ({"inputs": []}, "runtime.bad-input"),
        ({"inputs": [{"name": "image", "datatype": "FP32", "shape": [1], "data": [1, 2]}]}, "2 numbers, the shape 1"),
        ({"inputs": [{"name": "image", "datatype": "FP32", "shape": [1], "data": [1]}]}, "Input rank mismatch"),
    ],
)
def test_wrong_requests_are_told_what_is_wrong(server, body, part):
    status, _, text = call(server, "POST", "/v2/models/cnn/infer", body, fails=True)
    assert status == 400
    error = json.loads(text)
    assert part in error["error"]
    assert error["code"] in error["error"]


def test_a_model_comes_runs_and_goes(server, models, image, expected):
    model = (models / "cnn.rknn").read_bytes()
    assert ask(server, "PUT", "/openrknn/v1/models/other", model) == {"name": "other", "bytes": len(model)}
    assert call(server, "GET", "/v2/models/other/ready", fails=True)[0] == 404
    ask(server, "POST", "/v2/repository/models/other/load", {"parameters": {"core_mask": 1, "output_type": "native"}})
    assert [output["datatype"] for output in ask(server, "GET", "/v2/models/other")["outputs"]] == ["INT8", "INT8"]
    performance = ask(server, "POST", "/openrknn/v1/models/other/perf", {"runs": 3})
    assert performance["runs"] == 3
    assert "Conv" in performance["layers"]
    assert ask(server, "GET", "/openrknn/v1/models/other/memory")["weights"] > 0
    ask(server, "DELETE", "/openrknn/v1/models/other")
    assert not (models / "other.rknn").exists()
    assert call(server, "GET", "/v2/models/other", fails=True)[0] == 404


def test_values_of_layers_are_the_simulators(server, models, image):
    raw = image.tobytes()
    header = json.dumps(
        {
            "inputs": [{"name": "image", "datatype": "FP32", "shape": list(image.shape), "parameters": {"binary_data_size": len(raw)}}],
            "outputs": [{"name": "pooled", "parameters": {"binary_data": True}}],
        }
    ).encode()  # fmt: skip
    _, headers, body = call(
        server, "POST", "/openrknn/v1/models/cnn/values", header + raw, {"Inference-Header-Content-Length": len(header)}
    )
    split = int(headers["Inference-Header-Content-Length"])
    assert json.loads(body[:split])["outputs"][0]["datatype"] == "INT8"  # codes
    with openrknn.InferenceSession(models / "cnn.rknn", provider_options={"output_type": "native"}) as session:
        assert body[split:] == session.run(["pooled"], {"image": image})[0].tobytes()


def test_metrics_are_there_for_prometheus(server, image):
    call(server, "POST", "/v2/models/cnn/infer", json_request(image))
    text = call(server, "GET", "/metrics")[2].decode()
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(samples['openrknn_inferences_total{model="cnn"}']) >= 1
    assert float(samples['openrknn_request_seconds_count{model="cnn"}']) >= 1
    assert 'openrknn_core_busy_seconds_total{target="rk3588",core="2"}' in samples


def test_many_clients_at_once_get_their_own_results(server, models):
    images = [small_models.photo(16, 16, seed).transpose(2, 0, 1)[None].astype(np.float32) for seed in range(8)]
    with openrknn.InferenceSession(models / "cnn.rknn") as session:
        wanted = [session.run(["scores"], {"image": image})[0].ravel() for image in images]
    wrong = []

    def work(i):
        for _ in range(10):
            outputs = ask(server, "POST", "/v2/models/cnn/infer", json_request(images[i]))["outputs"]
            if not np.array_equal(np.array(outputs[0]["data"], np.float32), wanted[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_command_refuses_what_would_be_open_to_all(tmp_path):
    done = subprocess.run(
        [*command_line(), "serve", "--models", str(tmp_path), "--host", "0.0.0.0", "--port", "0"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "there is no --token-file" in done.stderr


def test_a_token_is_asked_for(models, tmp_path):
    token = "0123456789abcdef0123"
    (tmp_path / "token").write_text(token + "\n")
    with DeviceServer(models, "--token-file", tmp_path / "token", "--load-none") as server:
        assert call(server, "GET", "/v2", fails=True)[0] == 401
        assert call(server, "GET", "/v2", headers={"Authorization": "Bearer " + token})[0] == 200


def test_tritonclient_works_unmodified(server, image, expected):
    triton = pytest.importorskip("tritonclient.http")
    with triton.InferenceServerClient(server.address) as client:
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("cnn", "1")
        assert client.get_server_metadata()["name"] == "openrknn"
        assert client.get_model_metadata("cnn")["inputs"][0]["shape"] == [1, 3, 16, 16]
        assert client.get_model_config("cnn")["max_batch_size"] == 0
        assert {"name": "cnn", "version": "1", "state": "READY", "reason": ""} in client.get_model_repository_index()
        for binary in (True, False):
            given = triton.InferInput("image", list(image.shape), "FP32")
            given.set_data_from_numpy(image, binary_data=binary)
            chosen = [triton.InferRequestedOutput("scores", binary_data=binary)]
            result = client.infer("cnn", [given], outputs=chosen, request_id="3")
            np.testing.assert_array_equal(result.as_numpy("scores"), expected["scores"])
            everything = client.infer("cnn", [given], parameters={"core_mask": 2})
            np.testing.assert_array_equal(everything.as_numpy("pooled"), expected["pooled"])
        pending = [client.async_infer("cnn", [given]) for _ in range(5)]
        for each in pending:
            np.testing.assert_array_equal(each.get_result().as_numpy("scores"), expected["scores"])
        assert client.get_inference_statistics("cnn")["model_stats"][0]["inference_count"] > 0
        client.unload_model("cnn")
        assert not client.is_model_ready("cnn")
        with pytest.raises(triton.InferenceServerException, match="E0804 server.unknown-model"):
            client.infer("cnn", [given])
        client.load_model("cnn")
        assert client.is_model_ready("cnn")
