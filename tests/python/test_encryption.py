"""Encrypted models from export to inference: rknn.api, the native functions, sessions and the command line."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402

KEY = bytes(range(32))
LEVELS = [1, 2, 3]


@pytest.fixture(autouse=True)
def no_key_of_the_environment(monkeypatch):
    monkeypatch.delenv("OPENRKNN_MODEL_KEY_FILE", raising=False)
    monkeypatch.delenv("OPENRKNN_MODEL_KEY", raising=False)


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "model.key"
    path.write_text(KEY.hex() + "\n")
    return path


@pytest.fixture
def other_key_file(tmp_path):
    path = tmp_path / "other.key"
    path.write_bytes(bytes(reversed(KEY)))
    return path


@pytest.fixture
def image():
    return small_models.photo(16, 16, 0)[None].astype(np.float32)


def call(*arguments, **environment):
    command = [*command_line(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, **environment})


def run_session(path, image, **options):
    with openrknn.InferenceSession(path, provider_options=options) as session:
        return session.run(None, {session.get_inputs()[0].name: image.transpose(0, 3, 1, 2)})


def equal(left, right):
    return len(left) == len(right) and all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


# ---- export, load and run


@pytest.mark.proves(
    "export_encrypted_rknn_model.input_model",
    "export_encrypted_rknn_model.output_model",
    "export_encrypted_rknn_model.crypt_level",
    "export_encrypted_rknn_model.key_file",
    "load_rknn.key_file",
)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("with_key", [False, True])
def test_a_model_runs_as_before(rknn, cnn_rknn, tmp_path, image, key_file, level, with_key):
    plain, encrypted = rknn(), tmp_path / "out.rknn"
    assert plain.load_rknn(str(cnn_rknn)) == 0
    assert plain.init_runtime() == 0
    expected = plain.inference([image])
    key = str(key_file) if with_key else None
    assert rknn().export_encrypted_rknn_model(str(cnn_rknn), str(encrypted), level, key_file=key) == 0
    shown = encrypted.read_bytes()
    assert [b"Conv" in shown, b"rk3588" in shown] == [level == 1, level < 3]
    assert rknn().load_rknn(str(encrypted)) == (-1 if with_key else 0)
    loaded = rknn()
    assert loaded.load_rknn(str(encrypted), key_file=key) == 0
    assert loaded.init_runtime(eval_mem=True) == 0
    assert equal(loaded.inference([image]), expected)
    assert loaded.eval_memory(is_print=False)["total_memory"] > 0
    options = {"model_key_file": key_file} if with_key else {}
    assert equal(run_session(encrypted, image, **options), run_session(cnn_rknn, image))
    assert equal(run_session(encrypted.read_bytes(), image, **options), run_session(cnn_rknn, image))


@pytest.mark.proves("export_encrypted_rknn_model.output_model")
def test_the_default_output_lies_beside_the_input(rknn, cnn_rknn, tmp_path):
    assert rknn().export_encrypted_rknn_model(str(cnn_rknn)) == 0
    assert (tmp_path / "cnn.crypt.rknn").is_file()
    assert openrknn.encrypt(cnn_rknn, level=2) == str(tmp_path / "cnn.crypt.rknn")


def test_the_environment_has_the_key(rknn, cnn_rknn, tmp_path, image, key_file, monkeypatch):
    encrypted = openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn", key=key_file)
    for name, value in (("OPENRKNN_MODEL_KEY_FILE", str(key_file)), ("OPENRKNN_MODEL_KEY", KEY.hex())):
        with monkeypatch.context() as environment:
            environment.setenv(name, value)
            loaded = rknn()
            assert loaded.load_rknn(encrypted) == 0
            assert loaded.init_runtime() == 0
            assert loaded.inference([image])
            assert run_session(encrypted, image)


def test_rknnlite_runs_encrypted_models(cnn_rknn, tmp_path, image, key_file, monkeypatch):
    from rknnlite.api import RKNNLite

    monkeypatch.setenv("OPENRKNN_MODEL_KEY_FILE", str(key_file))
    lite = RKNNLite()
    assert lite.load_rknn(openrknn.encrypt(cnn_rknn, key=key_file)) == 0
    assert lite.init_runtime() == 0
    assert lite.inference([image])
    lite.release()


def test_keys_are_paths_or_bytes(cnn_rknn, tmp_path, image, key_file):
    for key in (KEY, key_file, str(key_file)):
        encrypted = openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn", key=key)
        assert run_session(encrypted, image, model_key_file=key_file)
    with pytest.raises(openrknn.Error, match="a key has 32 bytes, got 5"):
        openrknn.encrypt(cnn_rknn, key=b"short")


def test_two_encryptions_of_one_model_differ(cnn_rknn, tmp_path):
    files = [Path(openrknn.encrypt(cnn_rknn, tmp_path / f"{i}.rknn")).read_bytes() for i in range(2)]
    assert len(files[0]) == len(files[1])
    assert files[0] != files[1]


def test_a_quantized_model_of_every_platform_that_can(built, tmp_path, image):
    for platform in ("rk3562", "rk3566", "rk3568", "rk3576", "rk3588"):
        plain = tmp_path / f"{platform}.rknn"
        assert built(quantize=True, target_platform=platform).export_rknn(str(plain)) == 0
        assert equal(run_session(openrknn.encrypt(plain), image), run_session(plain, image))


# ---- what is refused


def test_platforms_that_cannot_are_refused_by_name(rknn, built, tmp_path, capfd):
    plain = tmp_path / "net.rknn"
    assert built(quantize=True, target_platform="rv1106").export_rknn(str(plain)) == 0
    assert rknn().export_encrypted_rknn_model(str(plain)) == -1
    said = capfd.readouterr().err
    assert "models for RV1106 cannot be encrypted" in said
    assert "RK3562, RK3566, RK3568, RK3576, RK3588" in said
    assert not (tmp_path / "net.crypt.rknn").exists()


@pytest.mark.proves(
    "export_encrypted_rknn_model.input_model",
    "export_encrypted_rknn_model.crypt_level",
    "export_encrypted_rknn_model.key_file",
)
def test_bad_arguments_are_refused_and_leave_nothing(rknn, cnn_rknn, tmp_path, capfd):
    def refusal(*arguments, **keywords):
        assert rknn().export_encrypted_rknn_model(*arguments, **keywords) == -1
        return capfd.readouterr().err

    before = sorted(tmp_path.iterdir())
    assert "got 4, expected 1, 2 or 3" in refusal(str(cnn_rknn), crypt_level=4)
    assert "got 0, expected 1, 2 or 3" in refusal(str(cnn_rknn), crypt_level=0)
    assert "got 'high', expected 1, 2 or 3" in refusal(str(cnn_rknn), crypt_level="high")
    assert "take the place" in refusal(str(cnn_rknn), str(cnn_rknn))
    assert "no-such.rknn" in refusal(str(tmp_path / "no-such.rknn"))
    assert "E0007" in refusal(str(cnn_rknn), str(tmp_path / "no" / "folder.rknn"))
    assert "no-such.key" in refusal(str(cnn_rknn), key_file=str(tmp_path / "no-such.key"))
    assert sorted(tmp_path.iterdir()) == before


def test_damaged_foreign_and_encrypted_inputs_are_refused_and_leave_nothing(cnn_rknn, tmp_path):
    damaged, foreign = tmp_path / "damaged.rknn", tmp_path / "foreign.rknn"
    content = bytearray(cnn_rknn.read_bytes())
    content[-200] ^= 1
    damaged.write_bytes(content)
    foreign.write_bytes(b"something else")
    encrypted = openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn")
    before = sorted(tmp_path.iterdir())
    for path, code in ((damaged, "E0503"), (foreign, "E0501"), (encrypted, "E0506")):
        with pytest.raises(openrknn.Error) as caught:
            openrknn.encrypt(path)
        assert caught.value.code == code
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.proves("load_rknn.key_file")
def test_no_key_and_another_key_are_told_apart(rknn, cnn_rknn, tmp_path, image, key_file, other_key_file, capfd):
    encrypted = openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn", key=key_file)
    assert rknn().load_rknn(encrypted) == -1
    assert "no key was given" in capfd.readouterr().err
    assert rknn().load_rknn(encrypted, key_file=str(other_key_file)) == -1
    said = capfd.readouterr().err
    assert "another key than the one given" in said
    assert KEY.hex()[:8] not in said
    with pytest.raises(openrknn.RknnError, match="no key was given") as caught:
        run_session(encrypted, image)
    assert caught.value.code == -6
    with pytest.raises(openrknn.RknnError, match="another key than the one given") as caught:
        run_session(encrypted, image, model_key_file=other_key_file)
    assert caught.value.code == -6


def test_what_would_write_the_model_down_again_is_refused(cnn_rknn, tmp_path, key_file):
    encrypted = openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn")
    with pytest.raises(openrknn.Error, match="may be run, and its numbers are not shown") as caught:
        openrknn.load(encrypted)
    assert caught.value.code == "E0506"
    for verb in ("export-onnx", "profile", "estimate", "check"):
        done = call(verb, encrypted)
        assert done.returncode == 1
        assert "E0506" in done.stderr
    assert not list(tmp_path.glob("*.onnx.*"))


def test_flipped_bits_and_cut_ends_are_seen_by_the_runtime(cnn_rknn, tmp_path, image):
    seed = int(time.time())
    print("seed", seed)
    rng = random.Random(seed)
    content = Path(openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn", level=2)).read_bytes()
    for _ in range(40):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        with pytest.raises(openrknn.RknnError) as caught:
            run_session(bytes(damaged), image)
        assert caught.value.code == -6
    for _ in range(20):
        with pytest.raises(openrknn.RknnError) as caught:
            run_session(content[: rng.randrange(1, len(content))], image)
        assert caught.value.code == -6


# ---- libcrypto


def test_a_missing_libcrypto_is_said_with_what_to_install(cnn_rknn, tmp_path):
    encrypted = openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn")
    missing = {"OPENRKNN_LIBCRYPTO": "/nowhere/libcrypto.so"}
    done = call("encrypt", cnn_rknn, "-o", tmp_path / "more.rknn", **missing)
    assert done.returncode == 1
    assert "E0607" in done.stderr
    assert "/nowhere/libcrypto.so" in done.stderr
    assert "install OpenSSL" in done.stderr
    assert not (tmp_path / "more.rknn").exists()
    code = f"import openrknn; openrknn.InferenceSession({encrypted!r})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **missing})
    assert "install OpenSSL" in ran.stderr
    # Plain models ask for nothing.
    plain = f"import openrknn; openrknn.InferenceSession({str(cnn_rknn)!r}).close()"
    subprocess.run([sys.executable, "-c", plain], check=True, env={**os.environ, **missing})


# ---- what is shown


@pytest.mark.parametrize("level", LEVELS)
def test_inspect_says_what_the_level_shows(cnn_rknn, tmp_path, key_file, level):
    encrypted = tmp_path / "out.rknn"
    made = call("encrypt", cnn_rknn, "-o", encrypted, "--level", level, "--key-file", key_file, "--json")
    assert json.loads(made.stdout) == {"output": str(encrypted), "level": level, "user_key": True}
    found = json.loads(call("inspect", encrypted, "--json").stdout)
    assert found["encryption"] == {"level": level, "user_key": True}
    assert "encrypted" in found["note"]
    assert [entry["name"] for entry in found["inputs"]] == (["image"] if level == 1 else [])
    assert found["target"] == ("" if level == 3 else "rk3588")
    text = call("inspect", encrypted).stdout
    assert f"level {level} (" in text
    assert "with a key of its owner, which is needed to run it" in text
    built_in = call("encrypt", cnn_rknn, "-o", encrypted, "--level", level).stdout
    assert "deters only" in built_in
    assert "deters only" in call("inspect", encrypted).stdout


@pytest.mark.parametrize("level", LEVELS)
def test_the_file_holds_nothing_that_its_level_hides(cnn_rknn, tmp_path, level):
    plain = cnn_rknn.read_bytes()
    content = Path(openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn", level=level)).read_bytes()
    where = plain.index(b"OpenRKNN")  # behind it: graph, notes and weights
    hidden = [plain[i : i + 8] for i in range(where, len(plain) - 8, 8)]
    hidden = [piece for piece in hidden if len(set(piece)) > 4]
    assert len(hidden) > 100
    readable = content[: content.index(b"ORKNCRPT")]
    assert not [piece for piece in hidden if piece in content and piece not in readable]
    names = [b"image", b"pooled", b"Conv"]
    assert [name in content for name in names] == [level == 1] * 3
    assert (b"rk3588" in content) == (level < 3)


def test_run_takes_encrypted_models(cnn_rknn, tmp_path, key_file):
    encrypted = openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn", key=key_file)
    assert call("run", encrypted).returncode == 1
    done = call("run", encrypted, "--against", cnn_rknn, "--json", OPENRKNN_MODEL_KEY_FILE=str(key_file))
    assert done.returncode == 0, done.stderr


def test_the_plain_model_lives_in_memory_that_is_not_dumped_and_goes_with_the_session(cnn_rknn, tmp_path, image):
    encrypted = openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn")
    code = """
import sys, openrknn
def regions():
    flags = [line.split()[1:] for line in open("/proc/self/smaps") if line.startswith("VmFlags")]
    return sum("dd" in each for each in flags)
before = regions()
session = openrknn.InferenceSession(sys.argv[1])
assert regions() == before + 1, "not kept out of core dumps"
assert sys.argv[1] not in open("/proc/self/maps").read(), "the file is still mapped"
session.close()
assert regions() == before, "the decrypted model stays"
"""
    subprocess.run([sys.executable, "-c", code, encrypted], check=True)


# ---- a second reader of the format


@pytest.mark.parametrize("level", LEVELS)
def test_another_reader_reads_the_same(cnn_rknn, tmp_path, level):
    pytest.importorskip("cryptography")
    import encrypted_reader

    content = Path(openrknn.encrypt(cnn_rknn, tmp_path / "out.rknn", level=level, key=KEY)).read_bytes()
    assert encrypted_reader.read(content, KEY) == cnn_rknn.read_bytes()
    assert content.startswith(b"RKNN") == (level < 3)
