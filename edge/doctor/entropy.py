"""Is the entropy source there, may capture read it, and does it answer?"""

import errno
import grp
import json
import os
import re
from pathlib import Path
from typing import Any

from drivers.qrng.node import node_error
from edge.doctor.device import Device
from edge.doctor.finding import Outcome, fail, ok, skip, warn
from edge.doctor.units import unit_text
from edge.entropy.latch import Latch
from edge.qrng.nodes import FAMILIES
from edge.sources import DiscoverSettings, EmulatedSettings, QrngSettings, SoftwareSettings, source_name, source_node

SERVICE_USER = "speckled-capture"
BOOT = ("/boot/firmware/config.txt", "/boot/config.txt")
PROBE_DEADLINE = 60.0
"""Seconds for a probe: a link test at several clocks, and 512 samples."""
_SPI_ON = re.compile(r"(?m)^\s*dtparam=(?:[^#\n]*,)?spi(?:=on|=1|=yes|=true)?\s*(?:,|#|$)")


def entropy_choice(device: Device) -> Outcome:
    """What is drawn from software or an emulator is marked as simulated for ever."""
    qrng = device.known.qrng
    if _is_software(qrng):
        remedy = "name the device in [qrng]; `speckled qrng list` shows what this machine has"
        return warn(f"{source_name(qrng)}: every observation says simulated", remedy)
    if isinstance(qrng, DiscoverSettings):
        return ok("whichever is found at the start; `speckled qrng list` shows what this machine has")
    return ok(source_name(qrng))


def entropy_node(device: Device) -> Outcome:
    """Whether the kernel has made the node."""
    node = source_node(device.known.qrng)
    if node is None:
        return skip("no node is named in [qrng]")
    if device.system.tree.at(node).exists():
        return ok(node)
    family = next((family for pattern, family in FAMILIES.items() if re.fullmatch(pattern, node)), None)
    missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    error = node_error(missing, node, family, device.system.tree.at("/sys"))
    return fail(f"{error}", error.remedy)


def entropy_rights(device: Device) -> Outcome:
    """Whether the user of capture is in the group that may read the node, by itself or by its unit."""
    node = source_node(device.known.qrng)
    try:
        status = device.system.tree.at(node or "").stat() if node else None
    except OSError:
        status = None
    if status is None:
        return skip("there is no node")
    group = _group_name(device, status.st_gid)
    found = f"{node}: group {group}, mode {status.st_mode & 0o777:o}"
    if status.st_mode & 0o004:
        return ok(found)
    if not status.st_mode & 0o040 or status.st_gid == 0:
        return fail(found, "give the node to a group by a udev rule such as systemd/60-speckled.rules")
    if group in _groups_of(device, SERVICE_USER):
        return ok(f"{found}, which {SERVICE_USER} is in")
    if status.st_gid in device.system.user.groups and not _is_installed(device):
        return ok(f"{found}, which this user is in")
    remedy = f"run `speckled install --apply`; by hand: sudo usermod -aG {group} {SERVICE_USER}"
    return fail(f"{found}, and {SERVICE_USER} is not in that group", remedy)


def spi(device: Device) -> Outcome:
    """Raspberry Pi OS leaves SPI off."""
    node = source_node(device.known.qrng) or ""
    if not node.startswith("/dev/spidev"):
        return skip("no source on SPI is named")
    if device.system.tree.at(node).exists():
        return ok("on")
    texts = {path: device.system.tree.text(path) for path in BOOT}
    found = next((path for path, text in texts.items() if text and _SPI_ON.search(text)), None)
    if found:
        return fail(
            f"{found} has it on, and the node is not there",
            "reboot; if it stays so, see that no overlay takes SPI away",
        )
    return fail("off", f"add dtparam=spi=on to {BOOT[0]} and reboot, or use sudo raspi-config nonint do_spi 0")


def entropy_latch(device: Device) -> Outcome:
    """A source that failed stays condemned over restarts, until a person has tested it anew."""
    reason = Latch(device.system.tree.at(device.known.capture.state) / "entropy-failed").read()
    if reason == "unreadable" and not device.system.is_root:
        return skip("only root may look into capture's folder")
    if reason is None:
        return ok("no failure is remembered")
    remedy = f"after finding the cause: sudo speckled qrng test --config {device.config} --clear-latch"
    return fail(f"it failed earlier: {reason}", remedy)


def entropy_answer(device: Device) -> Outcome:
    """Identity, status and 512 samples, which are thrown away; not while capture has the device."""
    source, reason = _option(device), _why_not(device)
    if source is None or reason is not None:
        return skip(reason or "the settings have faults, and no device is named")
    python = device.system.interpreter.executable
    answer = device.system.run((python, "-m", "edge", "qrng", "probe", *source, "--json"), PROBE_DEADLINE)
    if answer is None:
        return fail(f"no answer within {PROBE_DEADLINE:.0f} s", "see that nothing else uses the device, and its wiring")
    try:
        return _answered(json.loads(answer.text))
    except (ValueError, KeyError, TypeError):
        complaint = (answer.complaint.strip().splitlines() or [f"status {answer.status}"])[-1]
        return fail(f"the probe could not be made: {complaint}", f"run `speckled qrng probe {' '.join(source)}`")


def _answered(found: dict[str, Any]) -> Outcome:
    if found["answers"]:
        return ok(f"{found['model']} answers")
    details = [step["detail"] for step in found["steps"] if step["outcome"] == "FAILED"]
    return fail((details or [found["reason"]])[0], found["remedy"])


def _why_not(device: Device) -> str | None:
    """Why nothing is asked of the source, or None."""
    if device.capture != "idle":
        return "capture runs and has the device" if device.capture == "runs" else "capture may run: ask as root"
    node = source_node(device.known.qrng)
    return "there is no node" if node is not None and not device.system.tree.at(node).exists() else None


def _is_software(qrng: QrngSettings) -> bool:
    return isinstance(qrng, SoftwareSettings | EmulatedSettings)


def _option(device: Device) -> tuple[str, str] | None:
    if not device.known.faults:
        return "--config", str(device.config)
    if isinstance(device.known.qrng, DiscoverSettings):
        return None
    return "--device", source_name(device.known.qrng)


def _is_installed(device: Device) -> bool:
    return unit_text(device.system.tree, SERVICE_USER) is not None


def _groups_of(device: Device, user: str) -> set[str]:
    """Groups of the service's user: by /etc/group, and by the SupplementaryGroups of its unit."""
    rows = (line.split(":") for line in (device.system.tree.text("/etc/group") or "").splitlines())
    members = {row[0] for row in rows if len(row) == 4 and user in row[3].split(",")}
    named = re.findall(r"(?m)^(?:Supplementary)?Groups?=(.*)$", unit_text(device.system.tree, user) or "")
    return members | {group for line in named for group in line.split()}


def _group_name(device: Device, number: int) -> str:
    for line in (device.system.tree.text("/etc/group") or "").splitlines():
        row = line.split(":")
        if len(row) == 4 and row[2] == str(number):
            return row[0]
    try:
        return grp.getgrgid(number).gr_name if device.system.tree.root == Path("/") else str(number)
    except KeyError:
        return str(number)
