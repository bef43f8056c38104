"""What everyone meets sooner or later: files and arrays that are wrong. Each gets one clear message with a code, naming
the file, line, node or tensor and the fix; the process lives, and no output file is left.

`pytest -s -k table` prints the table of cases and messages.
"""

import json
import re
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import bad_input_models  # noqa: E402, F401, I001  # each adds its rows to the table
import bad_input_datasets  # noqa: E402, F401
import bad_input_runs  # noqa: E402, F401
import small_models  # noqa: E402
from bad_input import CASES, message_of, small_rknn  # noqa: E402

import openrknn  # noqa: E402


@pytest.mark.parametrize("title", CASES)
def test_bad_input(title, tmp_path):
    _, code, mentions = CASES[title]
    message, left = message_of(title, tmp_path)
    assert message is not None, "accepted"
    assert re.search(r"\[[a-z]+\.[a-z-]+\]|E\d{4}", message), f"no code in: {message}"
    for mention in (code, *mentions):
        assert mention in message, f"{mention!r} is not in: {message}"
    assert not left, f"left behind: {left}"


def test_bad_input_table(tmp_path):
    rows = []
    for i, title in enumerate(CASES):
        folder = tmp_path / str(i)
        folder.mkdir()
        message, _ = message_of(title, folder)
        message = message or "(accepted)"
        rows.append((title, message.replace(str(folder), "…").replace("\n", "<br>").replace("|", "\\|")))
    print("\n| case | message |\n|---|---|")
    for title, message in rows:
        print(f"| {title} | {message} |")
    assert "(accepted)" not in dict(rows).values()


# ---- damage in every place


@pytest.fixture
def whole(tmp_path):
    return small_rknn(tmp_path)


def sections_of(path):
    from tools_of_the_build import command_line

    done = subprocess.run([*command_line(), "inspect", path, "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["sections"]


def refuse_everywhere(path):
    """Every way to open the file: each raises, none dies."""
    with pytest.raises(openrknn.Error) as caught:
        openrknn.load(path)
    assert caught.value.code.startswith("E05")
    with pytest.raises(RuntimeError):
        openrknn.InferenceSession(path)
    with pytest.raises(RuntimeError):
        openrknn.InferenceSession(path.read_bytes())
    return str(caught.value)


def test_a_flip_in_any_section_is_found_and_named(whole, tmp_path):
    damaged = tmp_path / "damaged.rknn"
    sections = sections_of(whole)
    assert len(sections) >= 3
    for section in sections:
        for where in {0, section["size"] // 2, section["size"] - 1} if section["size"] else set():
            content = bytearray(whole.read_bytes())
            content[section["offset"] + where] ^= 0x01
            damaged.write_bytes(content)
            message = refuse_everywhere(damaged)
            assert "damaged.rknn" in message
            assert f"'{section['name']}'" in message


def test_every_truncation_is_refused(whole, tmp_path):
    content = whole.read_bytes()
    damaged = tmp_path / "damaged.rknn"
    lengths = {*range(0, 80), *np.linspace(80, len(content) - 1, 150).astype(int).tolist(), len(content) - 1}
    for length in sorted(lengths):
        damaged.write_bytes(content[:length])
        refuse_everywhere(damaged)


def test_flips_of_single_bits_never_give_other_outputs(whole, tmp_path):
    """A flipped bit is refused, or it lies where nothing is read and the outputs are the same."""
    seed = 20
    random = np.random.default_rng(seed)
    content = whole.read_bytes()
    x = np.arange(768, dtype=np.uint8).reshape(1, 3, 16, 16)
    wanted = openrknn.load(whole).run([x])
    damaged = tmp_path / "damaged.rknn"
    places = [*range(0, 64), *random.integers(0, len(content), 200).tolist(), *range(len(content) - 64, len(content))]
    refused = 0
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(random.integers(0, 8))
        damaged.write_bytes(flipped)
        try:
            got = openrknn.load(damaged).run([x])
        except openrknn.Error:
            refused += 1
            continue
        assert all(map(np.array_equal, got, wanted)), f"seed {seed}, byte {place}"
    assert refused > len(places) // 2


def test_truncated_onnx_files_never_die(tmp_path):
    content = small_models.cnn().SerializeToString()
    for length in np.linspace(0, len(content) - 1, 120).astype(int):
        path = tmp_path / "short.onnx"
        path.write_bytes(content[:length])
        with pytest.raises(openrknn.Error):
            openrknn.import_model(path)


def test_flipped_onnx_files_never_die(tmp_path):
    seed = 21
    random = np.random.default_rng(seed)
    content = small_models.cnn().SerializeToString()
    path = tmp_path / "flipped.onnx"
    for _ in range(200):
        flipped = bytearray(content)
        flipped[int(random.integers(0, len(content)))] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(flipped)
        try:
            openrknn.import_model(path)
        except openrknn.Error as error:
            assert re.search(r"E\d{4}", str(error)), f"seed {seed}: {error}"  # noqa: PT017
