"""Are the services installed, in their sandboxes, and able to meet?"""

from edge.attest.exposure import EXPOSURE_FILE, read_exposure
from edge.attest.programs import Answer
from edge.attest.units import exposure_of
from edge.doctor.device import Device
from edge.doctor.finding import Outcome, fail, ok, skip, warn
from edge.doctor.units import unit_text

UNITS = ("speckled-capture", "speckled-relay")
MOST_EXPOSED = {"speckled-capture": 8, "speckled-relay": 12}
"""Ten times the score that the units of this version come with."""
INSTALL = "run `speckled install --apply`"
LISTENING = "00010000"
"""The flag of a listening socket in /proc/net/unix (__SO_ACCEPTCON of the kernel)."""


def units(device: Device) -> Outcome:
    """Both services are installed, and their users are there."""
    tree = device.system.tree
    missing = [unit for unit in UNITS if unit_text(tree, unit) is None]
    if missing:
        return fail(f"not installed: {', '.join(missing)}", INSTALL)
    users = {line.partition(":")[0] for line in (tree.text("/etc/passwd") or "").splitlines()}
    strangers = [unit for unit in UNITS if unit not in users]
    if strangers:
        return fail(f"no such user: {', '.join(strangers)}", f"{INSTALL}, or sudo systemd-sysusers")
    return ok(", ".join(UNITS))


def exposure(device: Device) -> Outcome:
    """What `systemd-analyze security` says of the units with their drop-ins, and whether capture signs the same."""
    if any(unit_text(device.system.tree, unit) is None for unit in UNITS):
        return skip("the units are not installed")
    scores = {unit: exposure_of(unit, device.system.run) for unit in UNITS}
    found = ", ".join(f"{unit} {score / 10:.1f}" for unit, score in scores.items() if score is not None)
    if not found:
        return skip("systemd-analyze says nothing")
    worse = [unit for unit, score in scores.items() if score is not None and score > MOST_EXPOSED[unit]]
    if worse:
        see = f"see what the drop-ins change: systemctl cat {worse[0]}; {INSTALL}"
        return warn(f"{found}: more than as delivered", see)
    noted = read_exposure(device.system.tree.at(str(EXPOSURE_FILE)))
    if {unit: noted.get(unit) for unit in UNITS} != scores:
        return warn(
            f"{found}, and capture signs what was noted earlier", "sudo speckled attest --exposure, and restart capture"
        )
    return ok(f"{found} of 10")


def services(device: Device) -> Outcome:
    """Whether the manager runs them, or has given up."""
    states = {unit: _state(device.system.run(("systemctl", "is-active", f"{unit}.service"))) for unit in UNITS}
    if not any(states.values()):
        return skip("no systemd runs here")
    found = ", ".join(f"{unit} {state}" for unit, state in states.items())
    failed = [unit for unit, state in states.items() if state == "failed"]
    if failed:
        return fail(found, f"journalctl -u {failed[0]} -n 20 says why")
    if any(state != "active" for state in states.values()):
        return warn(found, f"sudo systemctl enable --now {' '.join(UNITS)}")
    return ok(found)


def relay_socket(device: Device) -> Outcome:
    """Whether somebody listens where capture hands over; nothing connects, which would take one of few places."""
    path = device.known.relay.socket
    table = device.system.tree.text("/proc/net/unix")
    if table is None:
        return skip("/proc/net/unix cannot be read")
    listening = {row[7] for line in table.splitlines() if len(row := line.split()) == 8 and row[3] == LISTENING}
    if path in listening:
        return ok(path)
    there = device.system.tree.at(path).is_socket()
    what = "is left over from a relay that ended" if there else "is not there"
    return fail(
        f"{path} {what}: nobody listens",
        "start the relay: sudo systemctl start speckled-relay.socket, or `speckled relay`",
    )


def _state(answer: Answer | None) -> str:
    """`active`, `inactive`, `failed` ...; empty where no manager answers."""
    word = answer.text.strip() if answer is not None else ""
    return word if word in {"active", "inactive", "failed", "activating", "deactivating", "reloading"} else ""
