"""Is there a camera that the program can use? It is opened only where a person asks, and never beside capture."""

import json
from pathlib import Path

from drivers.camera.folder import SUFFIXES
from edge.config import FolderSettings, OpenCvSettings, Picamera2Settings, SyntheticSettings
from edge.doctor.device import Device
from edge.doctor.finding import Outcome, Status, fail, ok, skip, warn

LIBRARY = "sudo apt install python3-picamera2 --no-install-recommends"
CABLE = "see that the cable sits at both ends, and that `rpicam-hello --list-cameras` lists it; reboot after a change"
LENSES = frozenset({"ad5398", "dw9714", "dw9807"})
"""Drivers of the motors that focus; they are named as sensors are."""
CORRECT = "plug it in, or correct [camera]"
FRAME_DEADLINE = 60.0
"""Seconds for start, all attempts of the ladder of recoveries, and one frame."""


def privacy_switch(device: Device) -> Outcome:
    """While it is off the camera is closed, and nothing is observed."""
    file = device.known.switch.file
    try:
        off = device.system.tree.at(file).lstat() is not None
    except (FileNotFoundError, NotADirectoryError):
        off = False
    except OSError as error:
        return warn(
            f"{file}: {error.strerror}, which capture takes for off", "let capture's user look into that folder"
        )
    if off:
        return warn(
            "off: the camera stays closed", "`speckled camera on`, when the people in view may be observed again"
        )
    more = f"; the one at {device.known.switch.gpio} is not asked" if device.known.switch.gpio else ""
    return ok(f"on{more}")


def picamera2(device: Device) -> Outcome:
    """It comes from the Raspberry Pi archive, not from the package index."""
    if (skipped := _other_camera(device)) is not None:
        return skipped
    if device.packages.failed:
        return fail(device.packages.failed, f"{LIBRARY} --reinstall")
    found = device.packages.of("picamera2")
    if "version" in found:
        return ok(f"picamera2 {found['version']}")
    return fail(found.get("error", "picamera2 cannot be imported"), found.get("remedy", LIBRARY))


def libcamera(device: Device) -> Outcome:
    """Its Python bindings exist as a package of the system only."""
    if (skipped := _other_camera(device)) is not None:
        return skipped
    found = device.packages.of("libcamera")
    if "version" in found:
        answer = device.system.run(("dpkg-query", "-W", "-f", "${Version}", "python3-libcamera"))
        packaged = answer.text.strip() if answer is not None and answer.status == 0 else ""
        return ok(f"libcamera {packaged or found['version']}")
    why = found.get("error") or device.packages.failed or "no module libcamera for this Python"
    return fail(why, "sudo apt install python3-libcamera, and use the system's Python")


def foreign_kms(device: Device) -> Outcome:
    """picamera2 imports `kms` first, and the package index has an unrelated package of that name."""
    if (skipped := _other_camera(device)) is not None:
        return skipped
    found = device.packages.of("kms")
    if "foreign" in found:
        return fail("the module kms is a foreign package, not kms++", "pip uninstall kms")
    return ok("none in the way")


def numpy_abi(device: Device) -> Outcome:
    """The system's simplejpeg is compiled for one major version of numpy; a venv may bring the other."""
    if (skipped := _other_camera(device)) is not None:
        return skipped
    numpy, jpeg = device.packages.of("numpy"), device.packages.of("simplejpeg")
    if "version" in jpeg:
        return ok(f"numpy {numpy.get('version', '')}, simplejpeg {jpeg['version']}")
    if "missing" in jpeg and not device.packages.failed:
        return fail(f"no module {jpeg['missing']}", LIBRARY)
    why = jpeg.get("error") or device.packages.failed or "simplejpeg was not looked at"
    return fail(f"numpy {numpy.get('version', '')}: {why}", "in the venv: pip install --force-reinstall simplejpeg")


def camera(device: Device) -> Outcome:
    """Whether something is there under the name in the settings; nothing is opened."""
    match device.known.camera:
        case Picamera2Settings(number=number):
            found = _sensors(device)
            return ok(found[number]) if number < len(found) else fail(f"no camera {number} among {len(found)}", CABLE)
        case OpenCvSettings(source=source):
            return _video_source(device, source)
        case FolderSettings(path=path):
            images = [name for name in device.system.tree.names(path) if Path(name).suffix.lower() in SUFFIXES]
            return ok(f"{path}: {len(images)} images") if images else fail(f"{path} holds no image", CORRECT)
        case SyntheticSettings():
            return warn("drawn, not real: every observation says simulated", "name a real camera in [camera]")
        case _:
            return fail("the settings name none", "write a [camera] section with a driver")


def one_frame(device: Device) -> Outcome:
    """Under a deadline, in a process of its own, wiped at once; only where asked, and never while capture has it."""
    if (reason := _why_not(device)) is not None:
        return skip(reason)
    program = (device.system.interpreter.executable, "-m", "edge.doctor.frame", str(device.config))
    answer = device.system.run(program, FRAME_DEADLINE)
    if answer is None:
        return fail(f"no frame within {FRAME_DEADLINE:.0f} s", f"{CABLE}; where nothing else helps, reboot")
    try:
        found = json.loads(answer.text)
        return ok(found["frame"]) if "frame" in found else fail(found["error"], found["remedy"])
    except (ValueError, KeyError, TypeError):
        return fail(f"the camera's libraries ended the process with status {answer.status}", CABLE)


def _why_not(device: Device) -> str | None:
    """Why no frame is taken, or None."""
    if device.capture != "idle":
        return "capture runs and has the camera" if device.capture == "runs" else "capture may run: ask as root"
    if not device.with_frame:
        return "not asked for: --camera takes one frame, and throws it away"
    if device.known.switch.gpio or privacy_switch(device).status is not Status.OK:
        return "the privacy switch is off, or only capture can ask it"
    return "the settings have faults" if device.known.faults else None


def _video_source(device: Device, source: int | str) -> Outcome:
    if isinstance(source, str) and "://" in source:
        return skip("a camera on the network is tried with --camera only")
    path = source if isinstance(source, str) else f"/dev/video{source}"
    return ok(path) if device.system.tree.at(path).exists() else fail(f"{path} does not exist", CORRECT)


def _other_camera(device: Device) -> Outcome | None:
    if device.known.camera is None or isinstance(device.known.camera, Picamera2Settings):
        return None
    return skip("the camera is not a Raspberry Pi camera")


def _sensors(device: Device) -> list[str]:
    """The sensors that the kernel found, named in /sys by driver and I2C address; cameras on USB have none there."""
    tree, found = device.system.tree, []
    for name in tree.names("/sys/class/video4linux"):
        if name.startswith("v4l-subdev"):
            words = (tree.line(f"/sys/class/video4linux/{name}/name") or "").split()
            if len(words) == 2 and "-" in words[1] and words[0] not in LENSES:
                found.append(words[0])
    return found
