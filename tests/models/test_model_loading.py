"""A model is loaded exactly as it shipped, or refused by name, with the hash it should have and the one it has."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import models.session
from models.errors import ModelReason, ModelRefused
from models.load import load
from models.pinned import PINNED

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GOLDEN = "2dceb89a7a82b0d164ce91c1c7cf24b6f2ec55f0f6d972cbe16edf8ffd65027d"
"""Of the outputs of tiny.onnx for the maps below: the same on every processor (tests/arm, models/README.md)."""


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Shelf:
    """A folder with the small model, and what is pinned of it."""

    def __init__(self, folder):
        for name in ("tiny.json", "tiny.onnx", "tiny.bin"):
            shutil.copy(HERE / name, folder)
        self.folder = folder
        self.pin()

    def pin(self):
        self.pinned = {"tiny": digest((self.folder / "tiny.json").read_bytes())}

    def change(self, **fields):
        path = self.folder / "tiny.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))
        self.pin()

    def load(self, name="tiny"):
        return load(name, folder=self.folder, pinned=self.pinned)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


@pytest.fixture
def untouched(monkeypatch):
    """ONNX Runtime must not see a file that is refused."""

    def never(*_):
        raise AssertionError("a file that is not the right one reached ONNX Runtime")

    monkeypatch.setattr("models.load.open_session", never)


def maps(rows, columns, seed=1):
    return (np.random.default_rng(seed).integers(-128, 129, (1, 2, rows, columns)) / 32).astype(np.float32)


def test_a_model_runs_and_knows_its_hashes(shelf):
    model = shelf.load()
    local, context = model.run(maps(16, 24))
    assert (local.shape, context.shape) == ((1, 4, 16, 24), (1, 3, 8, 12))
    assert (local.dtype, context.dtype) == (np.float32, np.float32)
    assert model.network.hex() == digest((HERE / "tiny.onnx").read_bytes())
    assert model.codebook.hex() == digest((HERE / "tiny.bin").read_bytes())


def test_a_map_may_have_any_number_of_rows_and_columns_that_the_manifest_allows(shelf):
    model = shelf.load()
    assert [model.run(maps(*size))[0].shape[2:] for size in ((2, 2), (30, 40), (60, 80))] == [
        (2, 2),
        (30, 40),
        (60, 80),
    ]


def test_outputs_are_whole_multiples_of_the_steps_in_the_manifest(shelf):
    model = shelf.load()
    for tensor, output in zip(model.manifest.outputs, model.run(maps(16, 24)), strict=True):
        whole = output / np.float32(tensor.scale)
        assert np.array_equal(whole, np.rint(whole))
        assert len(np.unique(whole)) > 20


def test_the_same_maps_give_the_bytes_that_every_processor_gave(shelf):
    outputs = [output.tobytes() for size in ((16, 24), (30, 40)) for output in shelf.load().run(maps(*size))]
    assert digest(b"".join(outputs)) == GOLDEN


def test_the_codebook_is_read_as_the_manifest_says_and_cannot_be_written_to(shelf):
    arrays = shelf.load().arrays
    assert {name: (array.shape, array.dtype.str) for name, array in arrays.items()} == {
        "matrix": ((2, 3), "<i2"),
        "gain": ((2,), "<f4"),
    }
    assert arrays["gain"].tolist() == [0.5, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        arrays["matrix"][0, 0] = 1


@pytest.mark.parametrize("name", ["tiny.onnx", "tiny.bin"])
def test_an_altered_file_is_refused_with_both_hashes_before_onnx_runtime_sees_it(shelf, untouched, name):
    path = shelf.folder / name
    data = bytearray(path.read_bytes())
    shipped = digest(data)
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelRefused) as refused:
        shelf.load()
    assert refused.value.reason is ModelReason.ALTERED
    assert (refused.value.expected, refused.value.found) == (shipped, digest(data))
    for part in ("tiny", name, shipped, digest(data)):
        assert part in str(refused.value)


@pytest.mark.parametrize("name", ["tiny.onnx", "tiny.bin"])
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: b"", lambda data: data + b"\0"])
def test_a_file_of_another_size_is_refused_before_onnx_runtime_sees_it(shelf, untouched, name, change):
    path = shelf.folder / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ModelRefused) as refused:
        shelf.load()
    assert refused.value.reason is ModelReason.TRUNCATED
    assert refused.value.expected in str(refused.value)
    assert refused.value.found in str(refused.value)


@pytest.mark.parametrize("name", ["tiny.json", "tiny.onnx", "tiny.bin"])
def test_a_missing_file_is_refused_with_the_hash_that_it_would_have(shelf, untouched, name):
    shipped = digest((shelf.folder / name).read_bytes())
    (shelf.folder / name).unlink()
    with pytest.raises(ModelRefused) as refused:
        shelf.load()
    assert refused.value.reason is ModelReason.MISSING
    assert refused.value.expected == shipped
    assert name in str(refused.value)
    assert shipped in str(refused.value)
    assert refused.value.remedy


def test_a_folder_in_the_place_of_a_file_is_refused(shelf, untouched):
    (shelf.folder / "tiny.onnx").unlink()
    (shelf.folder / "tiny.onnx").mkdir()
    with pytest.raises(ModelRefused, match="cannot be read"):
        shelf.load()


def test_an_altered_manifest_is_refused_although_its_files_fit_it(shelf, untouched):
    before = dict(shelf.pinned)
    shelf.change(multiple=4)
    altered, shelf.pinned = shelf.pinned["tiny"], before
    with pytest.raises(ModelRefused) as refused:
        shelf.load()
    assert refused.value.reason is ModelReason.ALTERED
    assert (refused.value.expected, refused.value.found) == (before["tiny"], altered)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"more": 1}, "unknown field `more`"),
        ({"network": {"file": "../tiny.onnx", "sha256": "0" * 64, "bytes": 1}}, "network.file"),
        ({"network": {"file": "tiny.onnx", "sha256": "0" * 63, "bytes": 1}}, "network.sha256"),
        ({"name": "other"}, "is of other"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(shelf, untouched, fields, said):
    shelf.change(**fields)
    with pytest.raises(ModelRefused, match=said.replace(".", r"\.")) as refused:
        shelf.load()
    assert refused.value.reason is ModelReason.MANIFEST


def test_arrays_that_do_not_fill_the_codebook_are_refused(shelf, untouched):
    codebook = json.loads((HERE / "tiny.json").read_text())["codebook"]
    for arrays in (codebook["arrays"][:1], [*codebook["arrays"], {"name": "more", "dtype": "int8", "shape": [1]}]):
        shelf.change(codebook=codebook | {"arrays": arrays})
        with pytest.raises(ModelRefused, match="do not fill its 20 bytes"):
            shelf.load()


@pytest.mark.parametrize(
    "outputs",
    [
        [{"name": "local", "shape": [1, 4, "r", "c"]}],
        [{"name": "local", "shape": [1, 4, "r", "c"]}, {"name": "other", "shape": [1, 3, "r", "c"]}],
        [{"name": "local", "shape": [1, 5, "r", "c"]}, {"name": "context", "shape": [1, 3, "r", "c"]}],
    ],
)
def test_a_network_with_other_outputs_than_the_manifest_says_is_refused(shelf, outputs):
    shelf.change(outputs=outputs)
    with pytest.raises(ModelRefused, match="outputs") as refused:
        shelf.load()
    assert refused.value.reason is ModelReason.MANIFEST


def test_what_is_no_network_is_refused_in_one_line(shelf):
    data = b"no network\n" * 10
    (shelf.folder / "tiny.onnx").write_bytes(data)
    shelf.change(network={"file": "tiny.onnx", "sha256": digest(data), "bytes": len(data)})
    with pytest.raises(ModelRefused, match="does not take it") as refused:
        shelf.load()
    assert refused.value.reason is ModelReason.RUNTIME
    assert "\n" not in str(refused.value)


def test_a_model_that_nobody_pinned_is_refused_with_those_that_are(shelf, untouched):
    with pytest.raises(ModelRefused, match="nothing is known") as refused:
        shelf.load("other")
    assert "tiny" in refused.value.remedy


def test_a_machine_without_onnx_runtime_says_so(shelf, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelRefused, match="cannot be imported") as refused:
        shelf.load()
    assert refused.value.reason is ModelReason.RUNTIME


def test_the_file_is_not_read_again_after_it_was_verified(shelf, monkeypatch):
    opened = models.session.open_session

    def swap_first(*given):
        (shelf.folder / "tiny.onnx").write_bytes(b"another")
        return opened(*given)

    monkeypatch.setattr("models.load.open_session", swap_first)
    assert len(shelf.load().run(maps(4, 4))) == 2


def test_every_model_that_ships_is_the_one_that_is_pinned():
    assert {path.stem for path in (ROOT / "models").glob("*.json")} == set(PINNED)
    for name in PINNED:
        assert load(name).manifest.name == name


def run_python(statement, folder, **environment):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), **environment}
    command = [sys.executable, "-c", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=folder)


LOAD = f"""
import os, pathlib, numpy, models.load
before = len(os.listdir("/proc/self/task"))
pinned = {{"tiny": "{digest((HERE / "tiny.json").read_bytes())}"}}
model = models.load.load("tiny", folder=pathlib.Path({str(HERE)!r}), pinned=pinned)
model.run(numpy.zeros((1, 2, 30, 40), numpy.float32))
print(len(os.listdir("/proc/self/task")) - before)
"""


def test_onnx_runtime_is_imported_only_when_a_model_is_loaded(tmp_path):
    statement = "import sys, models.load, edge.assemble, edge.capture; print('onnxruntime' in sys.modules)"
    assert run_python(statement, tmp_path).stdout == "False\n"


def test_loading_and_running_says_nothing_starts_no_thread_and_leaves_no_identifier_of_the_device(tmp_path):
    done = run_python(LOAD, tmp_path)
    assert done.stderr == ""
    assert done.stdout == "0\n"
    assert list(tmp_path.rglob("*")) == []


def test_a_network_runs_where_no_memory_may_become_executable(tmp_path):
    """As under MemoryDenyWriteExecute=yes: prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN), from Linux 6.3 on."""
    denied = "import ctypes\nprint(ctypes.CDLL(None).prctl(65, 1, 0, 0, 0))\n"
    answer = run_python(denied + LOAD, tmp_path).stdout.split()
    if answer[0] != "0":
        pytest.skip("this kernel cannot refuse it for one process")
    assert answer[1] == "0"


def test_nobody_else_imports_onnx_runtime_with_its_telemetry_on():
    others = [
        path.relative_to(ROOT).as_posix()
        for room in ("audit", "benchmarks", "collector", "demo", "drivers", "edge", "models", "wire")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"^\s*(import|from) onnxruntime", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert set(others) <= {"models/runtime.py", "models/training/quantise.py"}
