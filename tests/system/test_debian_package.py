"""The recipe of the Debian packages, with empty wheels. packaging/try-in-container installs and boots a real one."""

import hashlib
import os
import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from models.manifest import read_manifest
from models.pinned import PINNED

ROOT = Path(__file__).resolve().parents[2]
VERSION = "1.2.3-4"


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb: apt install dpkg")
    wheels = tmp_path_factory.mktemp("wheels")
    with zipfile.ZipFile(wheels / "speckled-1.2.3-py3-none-any.whl", "w") as wheel:
        for path in (ROOT / "systemd").rglob("*"):
            if path.is_file():
                wheel.writestr(f"speckled-1.2.3.data/data/share/speckled/systemd/{path.name}", "")

    def run(architecture, folder=None):
        out = folder or tmp_path_factory.mktemp("out")
        subprocess.run(
            [ROOT / "packaging/deb", architecture, "--wheels", wheels, "--out", out],
            env={**os.environ, "VERSION": VERSION},
            check=True,
            capture_output=True,
        )
        return out / f"speckled_{VERSION}_{architecture}.deb"

    return run


@pytest.fixture(scope="module", params=["amd64", "arm64"])
def package(request, build):
    return build(request.param)


def tell(package, *arguments):
    return subprocess.run(["dpkg-deb", *arguments, package], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def listing(package):
    rows = [line.split(maxsplit=5) for line in tell(package, "--contents").splitlines()]
    return {row[5].split(" -> ")[0].removeprefix("."): row for row in rows}


def test_a_package_names_its_architecture_and_what_it_needs(package):
    fields = dict(re.findall(r"^ ([\w-]+): (.*)$", tell(package, "--info"), re.MULTILINE))
    assert package.name.endswith(f"_{fields['Architecture']}.deb")
    assert fields["Version"] == VERSION
    assert {"python3-numpy", "python3-venv", "systemd"} <= set(re.findall(r"[a-z][a-z0-9-]+", fields["Depends"]))


def test_everything_in_it_is_roots_and_writable_by_root_only(listing):
    for path, (mode, owner, *_) in listing.items():
        assert owner == "root/root", path
        assert mode[5] != "w" or mode[0] == "l", path
        assert mode[8] != "w" or mode[0] == "l", path


def test_it_brings_units_users_folders_and_rules_but_no_settings_and_no_keys(listing):
    units = {path.name for pattern in ("*.service", "*.socket") for path in (ROOT / "systemd").glob(pattern)}
    assert {Path(path).name for path in listing if path.startswith("/usr/lib/systemd/system/speckled")} == units
    assert {"/usr/lib/sysusers.d/speckled.conf", "/usr/lib/tmpfiles.d/speckled.conf"} <= listing.keys()
    assert "/usr/lib/udev/rules.d/60-speckled.rules" in listing
    assert "/usr/bin/speckled" in listing
    assert not [path for path in listing if path.startswith(("/etc", "/var", "/home", "/root"))]


def test_its_scripts_are_sound_shell(package, tmp_path):
    subprocess.run(["dpkg-deb", "--raw-extract", package, tmp_path / "x"], check=True)
    scripts = [tmp_path / "x/DEBIAN" / name for name in ("postinst", "prerm", "postrm")]
    scripts += [tmp_path / "x/usr/lib/speckled/make-environment"]
    scripts += [tmp_path / "x/usr/share/python3/runtime.d/speckled.rtupdate"]
    for path in scripts:
        subprocess.run(["sh", "-n", path], check=True)
        assert os.access(path, os.X_OK)


def test_an_upgrade_and_a_removal_touch_nothing_that_a_device_has_made(package, tmp_path):
    """Only `postrm purge` names the folders of settings and ledger."""
    subprocess.run(["dpkg-deb", "--control", package, tmp_path / "x"], check=True)
    for name in ("postinst", "prerm", "postrm"):
        before_purge = (tmp_path / "x" / name).read_text().split("purge)")[0]
        assert not re.search(r"rm .*(/etc/speckled|/var/lib/speckled)", before_purge)
    assert "/var/lib/speckled" in (tmp_path / "x/postrm").read_text().split("purge)")[1]


def test_one_commit_gives_the_same_bytes(package, build, tmp_path):
    again = build(package.stem.rpartition("_")[2], tmp_path)
    assert again != package
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(package.read_bytes()).digest()


def test_a_wheel_that_lacks_a_unit_is_not_packed(tmp_path):
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels/speckled-1.2.3-py3-none-any.whl", "w") as wheel:
        wheel.writestr("speckled-1.2.3.data/data/share/speckled/systemd/speckled.sysusers", "")
    result = subprocess.run(
        [ROOT / "packaging/deb", "amd64", "--wheels", tmp_path / "wheels", "--out", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "speckled-capture.service" in result.stderr
    assert not list(tmp_path.glob("*.deb"))


def test_the_wheel_takes_every_file_that_install_needs():
    shared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    taken = {path for patterns in shared.values() for pattern in patterns for path in ROOT.glob(pattern)}
    assert {path for path in (ROOT / "systemd").rglob("*") if path.is_file()} <= taken


def test_every_wheel_is_pinned_by_its_hash():
    text = (ROOT / "packaging/wheels.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+ *", line), line


def test_the_pinned_wheels_are_what_the_program_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = project["dependencies"] + project["optional-dependencies"]["collector"]
    names = {re.match(r"[a-z0-9-]+", line)[0] for line in needed} - {"numpy"}
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "packaging/wheels.txt").read_text(), re.MULTILINE))
    assert names <= pinned
    assert "numpy" not in pinned


def test_the_wheel_takes_every_file_of_a_model():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["models"]
    taken = {path for pattern in patterns for path in (ROOT / "models").glob(pattern)}
    tracked = subprocess.run(["git", "ls-files", "models"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    shipped = {ROOT / name for name in tracked.split() if name.count("/") == 1 and not name.endswith(".py")}
    assert shipped
    assert shipped <= taken
    for pin in PINNED:
        manifest = read_manifest((ROOT / "models" / f"{pin}.json").read_bytes())
        assert ROOT / "models" / manifest.network.file in taken
        assert manifest.codebook is None or ROOT / "models" / manifest.codebook.file in taken
