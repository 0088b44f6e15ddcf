"""The rungs of one ladder from software to hardware: each gives the same suite a chip, a camera and a daemon.

Named by `--hil`: `fake` has emulators in the process of the test; `spidev` the real spidev package on an emulated chip,
and the emulated picamera2; `vm` the same chip, and the real picamera2 on libcamera's virtual pipeline; `device` what
a settings file names.
"""

import importlib
import os
import shutil
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from hil.chip import drain
from hil.programs import program, run

from drivers.camera.picamera2 import Picamera2Camera
from drivers.emulated.faults import parse_fault
from drivers.emulated.microrng import EmulatedMicroRng
from drivers.emulated.picamera2 import CameraFault, EmulatedPicamera2
from drivers.emulated.spidev import emulated_spidev
from drivers.qrng.microrng import MicroRng

HERE = Path(__file__).resolve().parent
NAMES = ("fake", "spidev", "vm", "device")
WIDTH, HEIGHT = 640, 480
_CAMERA = f'driver = "picamera2"\nstream = "luma"\nwidth = {WIDTH}\nheight = {HEIGHT}'
_SPIDEV = 'driver = "microrng"\ndevice = "/dev/spidev0.0"\nspeed_hz = 1000000'
_ENOUGH_FOR_TWO = 30_000
"""Raw bytes that the tests at the start and the first observations need, about."""


@dataclass
class Daemon:
    """How the daemon of a rung is set up, and the chip behind it where a test can reach it."""

    camera: str
    qrng: str
    environment: dict[str, str]
    chip: EmulatedMicroRng | None = None

    def bias(self):
        """From now on the chip has more ones than zeros; where it is out of reach it was told so before."""
        if self.chip is not None:
            self.chip.inject(parse_fault("bias=0.6"))


class Fake:
    """Everything in software."""

    name = "fake"
    chip_is_simulated = True
    patience = 40
    """Seconds in which the daemon gets to its first observations."""

    def __init__(self):
        self.module = EmulatedPicamera2()

    def sample(self, count, *faults):
        return drain(MicroRng(bus=emulated_chip(*faults), speed_hz=250_000), count)

    def camera(self):
        return Picamera2Camera(
            width=WIDTH, height=HEIGHT, exposure_us=20_000, gain=1.0, stream="luma", module=self.module
        )

    @contextmanager
    def late(self):
        """While it lasts, no frame comes within a thousandth of a second."""
        self.module.fault = CameraFault.TIMEOUT
        yield
        self.module.fault = None

    def cut(self, camera):
        """The front end fails: the requests that are out are never answered, until the camera is opened anew."""
        camera._camera._failed = True

    @contextmanager
    def daemon(self, *, breaks=False):
        fault = f'\nfault = "bias=0.6@{_ENOUGH_FOR_TWO}"' if breaks else ""
        yield Daemon(_CAMERA, f'driver = "emulated-microrng"{fault}', {"PYTHONPATH": str(HERE / "emulated")})


class Spidev(Fake):
    """The chip is asked by the real package, from a process of its own."""

    name = "spidev"
    chip_is_simulated = False
    folder = HERE / "emulated"

    def __init__(self):
        super().__init__()
        if shutil.which("cc") is None:
            pytest.skip("needs a C compiler: apt install gcc libc6-dev")
        pytest.importorskip("spidev", reason="needs spidev")

    def sample(self, count, *faults):
        text = f"""
            from drivers.qrng.microrng import MicroRng
            from hil.chip import drain
            answer = drain(MicroRng(device="/dev/spidev0.0", speed_hz=250_000), {count})
        """
        with emulated_spidev(emulated_chip(*faults)) as environment:
            return run(program(text), environment | {"PYTHONPATH": str(HERE.parent)})

    @contextmanager
    def daemon(self, *, breaks=False):
        chip = EmulatedMicroRng()
        with emulated_spidev(chip) as environment:
            yield Daemon(_CAMERA, _SPIDEV, environment | {"PYTHONPATH": str(self.folder)}, chip)


class Vm(Spidev):
    """Frames come through the real picamera2 and libcamera, from its virtual pipeline (tests/vm)."""

    name = "vm"
    patience = 400
    folder = HERE / "virtual"

    def __init__(self):
        super().__init__()
        if not os.environ.get("SPECKLED_VM"):
            pytest.skip("needs the virtual machine: make vm")
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
        self.module = importlib.import_module("picamera2")

    def late(self):
        return nullcontext()  # at 30 frames a second hardly any does

    def cut(self, camera):
        # libcamera itself stops the camera, behind the back of picamera2: every request comes back as cancelled, which
        # picamera2 drops. The Raspberry Pi pipeline does the same when its front end times out.
        camera._camera.camera.stop()


class Device:
    """What a settings file names: a real Pi's camera and chip."""

    name = "device"
    patience = 400
    chip_is_simulated = False

    def __init__(self, settings):
        if settings is None:
            pytest.skip("no device was named: --hil-device SETTINGS")
        from edge.config import load_settings

        self._text = Path(settings).read_text(encoding="utf-8")
        self._settings = load_settings(Path(settings))

    def sample(self, count, *faults):
        from edge.devices import make_qrng

        if faults:
            pytest.skip("a real chip does not break when it is asked to")
        return drain(make_qrng(self._settings.qrng), count)

    def camera(self):
        settings = self._settings.camera
        return Picamera2Camera(
            width=settings.width,
            height=settings.height,
            exposure_us=settings.exposure_us,
            gain=settings.gain,
            stream=settings.stream,
            number=settings.number,
        )

    def late(self):
        return nullcontext()

    def cut(self, camera):
        camera._camera.camera.stop()

    @contextmanager
    def daemon(self, *, breaks=False):
        if breaks:
            pytest.skip("a real chip does not break when it is asked to")
        yield Daemon(_table(self._text, "camera"), _table(self._text, "qrng"), {})


def emulated_chip(*faults):
    return EmulatedMicroRng(faults=tuple(map(parse_fault, faults)))


def make_rung(name, settings=None):
    """The rung of this name; skips the test where it cannot stand."""
    return Device(settings) if name == "device" else {"fake": Fake, "spidev": Spidev, "vm": Vm}[name]()


def _table(text, name):
    """The lines of one table of a settings file."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.strip() == f"[{name}]":
            break
    kept = []
    for line in lines:
        if line.startswith("["):
            break
        kept.append(line)
    return "\n".join(kept)
