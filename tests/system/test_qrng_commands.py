"""What a person sees of `speckled qrng`: the real command, its two streams and its exit status."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.qrng.profile import SHIPPED
from wire.exit import Exit

pytestmark = pytest.mark.timeout(120)

MICRORNG = SHIPPED / "microrng.toml"
PROFILED = f"emulated:profile:{MICRORNG}"


def speckled(*words, before=(), **options):
    return subprocess.run(
        [*before, sys.executable, "-m", "edge", "qrng", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def only_line(result):
    """The one line on standard error."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("speckled: ")
    return lines[0]


def test_a_biased_source_is_refused_in_words_that_help():
    result = speckled("test", "--device", "emulated:microrng", "--fault", "bias=0.6")
    assert result.returncode == Exit.NO_ENTROPY
    line = only_line(result)
    assert "entropy-predictable-bits: the bit prediction test failed" in line
    assert "Check wiring and power" in line
    told = " ".join(result.stdout.split())
    assert "samples: entropy-predictable-bits" in told
    assert "ones and zeros are not equally likely" in told
    assert "publishes nothing" in told


def test_a_healthy_source_passes_and_is_accounted_for():
    result = speckled("test", "--device", "emulated:microrng", "--samples", "3000", "--json")
    assert (result.returncode, result.stderr) == (Exit.OK, "")
    told = json.loads(result.stdout)
    assert told["passed"]
    assert told["windows"]


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        ("[[bus\n", "bad-profile", "Correct the TOML"),
        ('nme = "chip"\n', "nme: no such key", "Did you mean name?"),
        ('name = "chip"\n', "missing", "Add the key"),
        ('name = "??"\n', "still a placeholder", "data sheet"),
        (MICRORNG.read_text().replace("mode = 1", "mode = 7"), "bus.mode", "Correct the value"),
    ],
)
@pytest.mark.parametrize("kind", ["profile", "emulated:profile"])
def test_a_bad_profile_is_one_line_that_names_the_key(tmp_path, kind, text, says, remedy):
    path = tmp_path / "chip.toml"
    path.write_text(text)
    result = speckled("test", "--device", f"{kind}:{path}{'@/dev/null' if kind == 'profile' else ''}")
    assert result.returncode == Exit.CONFIG
    line = only_line(result)
    assert str(path) in line
    assert says in line
    assert remedy in line


def test_a_profile_that_does_not_exist_is_named():
    result = speckled("probe", "--device", "emulated:profile:absent.toml")
    assert result.returncode == Exit.CONFIG
    assert "absent.toml" in only_line(result)


@pytest.mark.parametrize(
    "device", [*(f"emulated:{kind}" for kind in ("microrng", "qcicada", "idq250", "tpm", "character")), PROFILED]
)
@pytest.mark.parametrize("command", ["probe", "test"])
def test_another_chip_than_the_one_that_is_named_is_refused(device, command):
    result = speckled(command, "--device", device, "--fault", "wrong-chip")
    assert result.returncode == Exit.NO_ENTROPY
    line = only_line(result)
    assert "link-test-failed" in line or "wrong-device" in line
    assert re.search(r"\. (Check|Connect|Load|Name) ", line)


@pytest.mark.parametrize("command", ["probe", "test"])
def test_a_node_that_may_not_be_opened_is_named_with_what_to_do(tmp_path, command):
    """Permission bits do not bind root, unless it gives up its capabilities."""
    node = tmp_path / "qrandom0"
    node.write_text("")
    node.chmod(0)
    before = []
    if os.geteuid() == 0:
        program = shutil.which("setpriv") or pytest.skip("needs setpriv: apt install util-linux")
        before = [program, "--bounding-set=-all", "--inh-caps=-all"]
    result = speckled(command, "--device", f"character:{node}", before=before)
    assert result.returncode == Exit.NO_ENTROPY
    line = only_line(result)
    assert f"denied: {node} may not be read by this user" in line
    assert "udev rule" in line


@pytest.mark.parametrize(
    ("device", "sign", "module", "enable"),
    [
        ("microrng:/dev/spidev0.0", "class/spidev", "spidev", "dtparam=spi=on"),
        ("idq250:/dev/i2c-1@0x28", "class/i2c-dev", "i2c-dev", "dtparam=i2c_arm=on"),
        ("qcicada", "bus/usb-serial/drivers/ftdi_sio", "ftdi_sio", "modprobe ftdi_sio"),
        ("tpm", "class/tpm", "tpm_tis_spi", "dtoverlay=tpm-slb9670"),
    ],
)
@pytest.mark.parametrize("command", ["probe", "test"])
def test_a_missing_kernel_module_is_named_with_what_loads_it(command, device, sign, module, enable):
    if (Path("/sys") / sign).exists():
        pytest.skip(f"this machine has {module}")
    result = speckled(command, "--device", device)
    assert result.returncode == Exit.NO_ENTROPY
    line = only_line(result)
    assert f"the kernel module {module}" in line
    assert "is not loaded" in line
    assert enable in line


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["test", "--device", "emulated:micorng"], "Did you mean emulated:microrng?"),
        (["test", "--device", "emulated:microrng", "--fault", "bais=0.6"], "Did you mean `bias`?"),
        (["probe", "--device", "software", "--fault", "stuck"], "leave out --fault"),
        (["test", "--config", "absent.toml"], "Name a readable settings file."),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(words, remedy):
    result = speckled(*words)
    assert result.returncode == Exit.CONFIG
    assert remedy in only_line(result)


def test_the_sources_of_a_machine_are_listed_as_text_and_as_json():
    text, tree = speckled("list"), speckled("list", "--json")
    assert text.returncode == tree.returncode
    assert tree.returncode in (Exit.OK, Exit.UNAVAILABLE)
    found = json.loads(tree.stdout)
    assert all(f'driver = "{source["driver"]}"' in text.stdout for source in found)
    assert text.stdout


def test_a_device_is_commissioned_into_a_folder(tmp_path):
    folder = tmp_path / "report"
    result = speckled(
        *("commission", "--device", "emulated:microrng", "--out", str(folder)), "--samples", "10000", "--restarts", "2"
    )
    assert (result.returncode, result.stderr) == (Exit.OK, "")
    assert (folder / "report.txt").read_text().rstrip() in result.stdout
    assert json.loads((folder / "report.json").read_text())["credit"] <= 4


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    result = speckled("commission", "--device", "emulated:microrng", "--out", str(tmp_path / "file"))
    assert result.returncode == Exit.CONFIG
    assert "Name a folder that may be written." in only_line(result)
