"""The hash over the program's files, and what can be recomputed without it."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from edge.attest.code import ROOMS, code_hash, installed_rooms
from edge.attest.exposure import read_exposure, write_exposure
from models.pinned import PINNED

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def rooms(tmp_path):
    for name, text in {"edge/a.py": "a", "edge/b/c.py": "c", "edge/b.py": "b", "wire/Z.py": "z"}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {room: tmp_path / room for room in ("wire", "edge")}


def test_any_changed_renamed_added_or_missing_file_changes_the_hash(rooms):
    seen = {code_hash(rooms)}
    (rooms["edge"] / "a.py").write_text("A")
    seen.add(code_hash(rooms))
    (rooms["edge"] / "a.py").rename(rooms["edge"] / "d.py")
    seen.add(code_hash(rooms))
    (rooms["edge"] / ".hidden").write_text("")
    seen.add(code_hash(rooms))
    (rooms["wire"] / "Z.py").unlink()
    seen.add(code_hash(rooms))
    assert len(seen) == 5


def test_what_python_compiles_for_itself_does_not_change_the_hash(rooms):
    before = code_hash(rooms)
    (rooms["edge"] / "b" / "__pycache__").mkdir()
    (rooms["edge"] / "b" / "__pycache__" / "c.cpython-311.pyc").write_bytes(b"x")
    assert code_hash(rooms) == before


def test_the_hash_does_not_depend_on_the_order_in_which_files_are_found(rooms, monkeypatch):
    before, walk = code_hash(rooms), os.walk
    monkeypatch.setattr(os, "walk", lambda *args, **named: reversed(list(walk(*args, **named))))
    assert code_hash(dict(reversed(rooms.items()))) == before


def test_coreutils_recompute_the_hash_by_the_command_in_its_docstring():
    if not all(map(shutil.which, ("find", "sort", "xargs", "sha256sum"))):
        pytest.skip("needs findutils and coreutils")
    command = re.search(r"find audit .*?sha256sum\n", code_hash.__doc__, re.DOTALL)[0]
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == code_hash({room: ROOT / room for room in ROOMS}).hex()


def test_the_rooms_are_found_where_python_imports_them_from():
    assert installed_rooms() == {room: ROOT / room for room in ROOMS}


def test_every_file_of_the_rooms_is_in_the_package_so_that_a_device_and_a_checkout_agree():
    tracked = subprocess.run(["git", "ls-files", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("needs git and a checkout")
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for name in tracked.stdout.splitlines():
        room, _, rest = name.partition("/")
        packed = rest.endswith(".py") or any(fnmatch(rest, pattern) for pattern in patterns.get(room, []))
        assert packed, f"{name} is not installed with the package: name it in package-data"


def test_exposures_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "exposure.json"
    write_exposure(path, {"speckled-capture": 7, "speckled-relay": 11})
    assert read_exposure(path) == {"speckled-capture": 7, "speckled-relay": 11}
    assert path.stat().st_mode & 0o777 == 0o644
    assert [file.name for file in tmp_path.iterdir()] == ["exposure.json"]


def test_exposures_are_written_over_a_link_and_not_through_it(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    (tmp_path / "exposure.json").symlink_to(elsewhere)
    write_exposure(tmp_path / "exposure.json", {"speckled-capture": 7})
    assert elsewhere.read_text() == "kept"
    assert read_exposure(tmp_path / "exposure.json") == {"speckled-capture": 7}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[",
        "[]",
        "7",
        '{"speckled-capture": -1}',
        '{"speckled-capture": true}',
        '{"other": 3}',
        "\ufeff{}",
        "[" * 3000,
    ],
)
def test_a_file_that_is_not_one_of_exposures_says_nothing(tmp_path, content):
    (tmp_path / "exposure.json").write_text(content)
    assert read_exposure(tmp_path / "exposure.json") == {}


def test_a_file_that_others_could_have_written_says_nothing(tmp_path):
    path = tmp_path / "exposure.json"
    path.write_text(json.dumps({"speckled-capture": 3}))
    path.chmod(0o664)
    assert read_exposure(path) == {}
    path.chmod(0o644)
    (tmp_path / "link.json").symlink_to(path)
    assert read_exposure(path)
    assert read_exposure(tmp_path / "link.json") == {}
    assert read_exposure(tmp_path) == {}
    assert read_exposure(tmp_path / "missing.json") == {}
    assert read_exposure(None) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_of_another_user_says_nothing(tmp_path):
    path = tmp_path / "exposure.json"
    write_exposure(path, {"speckled-capture": 3})
    os.chown(path, 65534, 65534)
    assert read_exposure(path) == {}


def test_the_networks_that_ship_are_part_of_the_code_that_is_attested(tmp_path):
    models = tmp_path / "models"
    shutil.copytree(installed_rooms()["models"], models, ignore=shutil.ignore_patterns("__pycache__"))
    before = code_hash({"models": models})
    for pin in PINNED:
        for path in models.glob(f"{pin}.*"):
            data = path.read_bytes()
            path.write_bytes(data + b"\0")
            assert code_hash({"models": models}) != before
            path.write_bytes(data)
    assert code_hash({"models": models}) == before
    assert len(list(models.glob("*.onnx"))) == len(PINNED)
