"""The arrows of the house, and what a base install must do without."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = {"audit", "benchmarks", "collector", "demo", "drivers", "edge", "models", "wire"}
ARROWS = {
    "drivers": set(),
    "wire": set(),
    "models": set(),
    "edge": {"drivers", "wire", "models"},
    "collector": {"wire", "models"},
    "audit": {"edge", "collector", "wire"},
}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_only_what_its_arrows_allow(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        strangers = (set(imports_of(path)) & HOUSE) - ARROWS[room] - {room}
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"


def run_without(blocked, statement):
    """Run a statement in a new interpreter in which some modules cannot be imported."""
    code = (
        "import sys\n"
        f"blocked = {blocked!r}\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in blocked:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Wall())\n" + statement
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_device_side_needs_no_extra_and_touches_no_pi_library_before_a_device_is_opened():
    blocked = ["picamera2", "libcamera", "spidev", "starlette", "uvicorn", "jinja2", "amqtt"]
    statement = (
        "import edge.assemble, edge.commands, edge.run, edge.devices\n"
        "from edge.config import Picamera2Settings\n"
        "from edge.sources import MicroRngSettings\n"
        "edge.devices.make_camera(Picamera2Settings())\n"
        "edge.devices.make_qrng(MicroRngSettings())\n"
    )
    result = run_without(blocked, statement)
    assert result.returncode == 0, result.stderr


def test_capture_does_not_even_load_an_mqtt_client():
    result = run_without(["paho"], "import edge.assemble, edge.capture, edge.courier\n")
    assert result.returncode == 0, result.stderr


def test_the_relay_needs_no_camera_and_no_picture_library():
    result = run_without(["picamera2", "spidev", "cv2"], "import edge.relay.assemble, edge.relay.link\n")
    assert result.returncode == 0, result.stderr
