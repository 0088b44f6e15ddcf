"""What the running system has to be told after its files have changed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.attest.exposure import EXPOSURE_FILE, read_exposure, write_exposure
from edge.attest.programs import Answer, Program, run_program
from edge.attest.units import exposures
from edge.errors import InstallError, Reason
from edge.install.plan import Plan
from edge.install.wanted import ETC_RULES, ETC_SYSUSERS, ETC_TMPFILES, ETC_UNITS

PATIENCE = 60.0
"""Seconds for one command: stopping the units takes up to 10 s for each."""


def run_patiently(command: Sequence[str], seconds: float = PATIENCE) -> Answer | None:
    """As run_program, for as long as the system's own commands may take."""
    return run_program(command, seconds)


def commands(plan: Plan, *, users_missing: bool = False) -> list[tuple[str, ...]]:
    """The commands that follow from a plan, in their order.

    users_missing: make them even if their file is as it was.
    """
    found: list[tuple[str, ...]] = []
    if plan.touches(ETC_SYSUSERS) or users_missing:
        found.append(("systemd-sysusers", "speckled.conf"))
    if plan.touches(ETC_TMPFILES):
        found.append(("systemd-tmpfiles", "--create", "speckled.conf"))
    if plan.touches(ETC_RULES):
        found.append(("udevadm", "control", "--reload"))
        found.append(("udevadm", "trigger", "--subsystem-match=misc", "--subsystem-match=spidev"))
    if plan.touches(ETC_UNITS):
        found.append(("systemctl", "daemon-reload"))
    return found


def carry_out(wanted: list[tuple[str, ...]], run: Program) -> Iterator[str]:
    """Run each command, and tell it. One that needs a running manager may fail where there is none, and is told so.

    Raises:
        InstallError: users or folders could not be made.
    """
    for command in wanted:
        answer = run(command)
        line = " ".join(command)
        if answer is not None and answer.status == 0:
            yield f"ran {line}"
            continue
        said = (answer.complaint or answer.text) if answer else "there is no such program, or it does not end"
        why = " ".join(said.split())
        if command[0] in ("systemd-sysusers", "systemd-tmpfiles"):
            raise InstallError(Reason.INSTALL, f"`{line}` failed: {why}", "run it by hand, then install again")
        yield f"`{line}` did not work here, and is not needed before the next start of the machine: {why}"


def note_exposure(run: Program, root: Path, *, again: bool) -> str | None:
    """Write down how exposed the units are, where that is not known or `again`, and tell it.

    systemd-analyze takes about a second for each unit on a small Pi, which starts of capture need not wait for.

    Raises:
        OSError: the file cannot be written.
    """
    file = root / EXPOSURE_FILE.relative_to("/")
    known = read_exposure(file)
    if known and not again:
        return None
    found = exposures(run)
    if not found or found == known:
        return None
    write_exposure(file, found)
    levels = ", ".join(f"{unit} {level / 10:.1f}" for unit, level in sorted(found.items()))
    return f"wrote {file}: {levels}"
