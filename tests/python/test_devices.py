"""Devices: a machine that runs `openrknn serve`, met through rknn.api, and what is said where there is none."""

import os
import stat
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from device_server import DeviceServer  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with DeviceServer(tmp_path_factory.mktemp("models"), "--name", "bench-1") as running:
        yield running


@pytest.fixture(autouse=True)
def no_devices_of_this_machine(monkeypatch, tmp_path):
    for name in ("OPENRKNN_DEVICE", "OPENRKNN_DEVICES", "OPENRKNN_SERVER_TOKEN", "OPENRKNN_SERVER_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENRKNN_ADB", str(tmp_path / "no-adb"))


@pytest.fixture
def said(capfd):
    return lambda: capfd.readouterr().err


def image(seed=9):
    return small_models.photo(16, 16, seed)[None]


def built(rknn, model, dataset, target="rk3588"):
    instance = rknn()
    assert instance.config(target_platform=target, mean_values=[[127.5] * 3], std_values=[[127.5] * 3]) == 0
    assert instance.load_onnx(str(model)) == 0
    assert instance.build(dataset=str(dataset)) == 0
    return instance


def run(command, *arguments, code=0):
    done = subprocess.run([*command_line(), command, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_device_gives_the_simulators_numbers(rknn, cnn, dataset, server):
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime() == 0
    expected = instance.inference([image()])
    assert instance.init_runtime(target="rk3588", device_id=server.address) == 0
    for got, wanted in zip(instance.inference([image()]), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    nchw = image().transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(instance.inference([nchw], data_format="nchw")[0], expected[0])


@pytest.mark.proves("init_runtime.target", "init_runtime.device_id")
def test_models_leave_the_device_with_their_object(rknn, cnn, dataset, server):
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(target="rk3588", device_id=server.address) == 0
    assert len(list(server.folder.glob("toolkit-*.rknn"))) == 1
    instance.release()
    assert not list(server.folder.glob("toolkit-*.rknn"))


def test_files_run_on_devices_too(rknn, cnn, dataset, server, tmp_path):
    instance = built(rknn, cnn, dataset)
    assert instance.export_rknn(str(tmp_path / "net.rknn")) == 0
    loaded = rknn()
    assert loaded.load_rknn(str(tmp_path / "net.rknn")) == 0
    assert loaded.init_runtime(target="RK3588", device_id=server.address, core_mask=loaded.NPU_CORE_0_1_2) == 0
    assert loaded.inference([image()])[0].shape == (1, 10)


def test_times_and_memory_come_from_the_device(rknn, cnn, dataset, server, capsys):
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(target="rk3588", device_id=server.address, eval_mem=True) == 0
    text = instance.eval_perf(is_print=False)
    assert "Total Time(us): " in text and "Estimated" not in text
    assert instance.eval_memory()["weight_memory"] > 0
    assert "(estimate)" not in capsys.readouterr().out
    assert instance.init_runtime(target="rk3588", device_id=server.address, perf_debug=True) == 0
    assert "Network Layer Information Table" in instance.eval_perf(is_print=False)


@pytest.mark.proves("get_sdk_version")
def test_versions_name_the_server_and_its_runtime(rknn, cnn, dataset, server):
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(target="rk3588", device_id=server.address) == 0
    text = instance.get_sdk_version()
    assert "RKNN VERSION:" in text and "DRV: rknn_server: " in text and "openrknn" in text
    assert instance.init_runtime() == 0
    assert "DRV: rknn_server: none, simulator" in instance.get_sdk_version()


@pytest.mark.proves("accuracy_analysis.target", "accuracy_analysis.device_id")
def test_an_analysis_compares_two_devices(rknn, cnn, dataset, server, tmp_path, capsys):
    with DeviceServer(tmp_path / "second-models", "--name", "bench-2") as second:
        instance = built(rknn, cnn, dataset)
        path = tmp_path / "sample.npy"
        np.save(path, image().transpose(0, 3, 1, 2))
        tables = []
        for i, address in enumerate((server.address, second.address)):
            folder = tmp_path / f"snapshot{i}"
            done = instance.accuracy_analysis([str(path)], output_dir=str(folder), target="rk3588", device_id=address)
            assert done == 0
            tables.append(capsys.readouterr().out)
            assert (folder / "runtime/npy/scores.npy").exists()
            assert np.load(folder / "runtime/npy/scores.npy").shape == (1, 10)
    assert tables[0] == tables[1]
    assert "runtime_error" in tables[0] and "single_sim" in tables[0]
    row = next(line for line in tables[0].splitlines() if line.startswith("[Gemm] scores"))
    cells = row.split("scores", 1)[1].replace("|", " ").split()
    assert len(cells) == 8
    # The device is the simulator on another port: its errors are the simulator's, and between the two there are none.
    assert cells[4:6] == cells[0:2] and cells[6:] == ["1.00000", "0.0"]


@pytest.mark.proves("init_runtime.target")
def test_devices_of_another_family_are_refused(rknn, cnn, dataset, server, said):
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(target="rk3576", device_id=server.address) == -1
    assert "the model was built for RK3588, the device is RK3576" in said()
    assert instance.init_runtime(target="rk2118", device_id=server.address) == -1
    assert "target 'rk2118' is no device" in said()


def test_a_family_shares_its_models(rknn, cnn, dataset, server):
    instance = built(rknn, cnn, dataset, target="rk3566")
    assert instance.init_runtime(target="rk3568", device_id=server.address) == 0


def test_a_server_that_is_not_there_says_which_side_to_look_at(rknn, cnn, dataset, said):
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(target="rk3588", device_id="127.0.0.1:1") == -1
    told = said()
    assert "server.unreachable" in told and "127.0.0.1:1" in told
    assert "openrknn serve" in told


def test_a_server_that_ends_during_its_use_is_told(rknn, cnn, dataset, tmp_path):
    going = DeviceServer(tmp_path / "models")
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(target="rk3588", device_id=going.address) == 0
    going.process.kill()
    going.process.wait(timeout=60)
    with pytest.raises(ValueError, match="server"):
        instance.inference([image()])


@pytest.mark.proves("init_runtime.device_id")
def test_a_device_id_needs_a_target(rknn, cnn, dataset, said):
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(device_id="127.0.0.1:8000") == -1
    assert "device_id='127.0.0.1:8000' without a target" in said()


def test_arrays_that_pass_through_are_the_simulators(rknn, cnn, dataset, server):
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(target="rk3588", device_id=server.address) == 0
    with pytest.raises(ValueError, match="a device takes arrays by value"):
        instance.inference([image().astype(np.int8)], inputs_pass_through=[1])


# ---- adb


def fake_adb(path, listing, forwards):
    """An adb that lists devices and forwards to the port that is in `forwards`."""
    path.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {path}.calls\n'
        'case "$*" in\n'
        "  version) echo 'Android Debug Bridge version 1.0.41' ;;\n"
        f"  devices) printf '* daemon started successfully\\nList of devices attached\\n{listing}\\n' ;;\n"
        f"  *'forward tcp:0 tcp:8000') echo {forwards} ;;\n"
        "  *'forward --remove'*) ;;\n"
        '  *) echo "unexpected: $*" >&2; exit 1 ;;\n'
        "esac\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.proves("list_devices")
def test_serials_of_adb_are_forwarded_and_the_tunnel_ends_with_the_object(
    rknn, cnn, dataset, server, tmp_path, monkeypatch
):
    adb = fake_adb(tmp_path / "adb", "VD46C3KM6N\\tdevice", server.address.rsplit(":", 1)[1])
    monkeypatch.setenv("OPENRKNN_ADB", str(adb))
    instance = built(rknn, cnn, dataset)
    assert instance.list_devices() == (["VD46C3KM6N"], [])
    for device_id in ("VD46C3KM6N", None):  # the only one needs no name
        assert instance.init_runtime(target="rk3588", device_id=device_id) == 0
        assert instance.inference([image()])[0].shape == (1, 10)
    instance.release()
    calls = (tmp_path / "adb.calls").read_text().splitlines()
    port = server.address.rsplit(":", 1)[1]
    assert calls.count("-s VD46C3KM6N forward tcp:0 tcp:8000") == 2
    assert calls.count(f"-s VD46C3KM6N forward --remove tcp:{port}") == 2


@pytest.mark.parametrize(
    ("state", "cure"),
    [
        ("unauthorized", "allow this computer on the device's screen"),
        ("offline", "plug the device in again"),
        ("no permissions (user in plugdev group; are your udev rules wrong?)", "add a udev rule"),
    ],
)
def test_devices_that_adb_cannot_talk_to_come_with_their_cure(
    rknn, cnn, dataset, tmp_path, monkeypatch, said, state, cure
):
    adb = fake_adb(tmp_path / "adb", f"SERIAL\\t{state}", 1)
    monkeypatch.setenv("OPENRKNN_ADB", str(adb))
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(target="rk3588", device_id="SERIAL") == -1
    told = said()
    assert f"adb says it is {state}" in told and cure in told
    assert cure in run("devices", code=1)


def test_several_devices_want_to_be_named(rknn, cnn, dataset, tmp_path, monkeypatch, said):
    adb = fake_adb(tmp_path / "adb", "A\\tdevice\\nB\\tdevice", 1)
    monkeypatch.setenv("OPENRKNN_ADB", str(adb))
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(target="rk3588") == -1
    assert "adb lists 2 devices: A, B; choose one by device_id" in said()


def test_serials_without_adb_say_what_to_install(rknn, cnn, dataset, said):
    instance = built(rknn, cnn, dataset)
    assert instance.init_runtime(target="rk3588", device_id="VD46C3KM6N") == -1
    assert "install adb to reach devices by their serial" in said()


# ---- listing and looking


def test_no_devices_are_two_empty_lists(rknn, capsys):
    assert rknn().list_devices() == ([], [])
    assert "all device(s) with adb mode:" in capsys.readouterr().out
    assert "no devices: adb is not installed" in run("devices")


@pytest.mark.proves("list_devices")
def test_known_servers_are_listed_with_what_they_are(rknn, server, monkeypatch):
    monkeypatch.setenv("OPENRKNN_DEVICES", f"{server.address},127.0.0.1:1")
    assert rknn().list_devices() == ([server.address, "127.0.0.1:1"], [])
    told = run("devices", code=1)
    assert f"ok   {server.address}: bench-1: simulator" in told
    assert "FAIL 127.0.0.1:1: " in told
    assert "rk3588" in run("doctor", "--device", server.address)


def test_tokens_come_from_the_environment(rknn, cnn, dataset, tmp_path, monkeypatch, said):
    secret = tmp_path / "token"
    secret.write_text("correct-horse-battery-staple\n")
    with DeviceServer(tmp_path / "models", "--token-file", secret) as guarded:
        instance = built(rknn, cnn, dataset)
        assert instance.init_runtime(target="rk3588", device_id=guarded.address) == -1
        assert "server.unauthorized" in said()
        monkeypatch.setenv("OPENRKNN_SERVER_TOKEN_FILE", str(secret))
        assert instance.init_runtime(target="rk3588", device_id=guarded.address) == 0
        instance.release()
    assert os.listdir(tmp_path / "models") == []
