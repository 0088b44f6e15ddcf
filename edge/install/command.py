"""`speckled install`: units, users, folders and rules in their places."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.attest.programs import Program
from edge.config import load
from edge.errors import ConfigError, InstallError, Reason
from edge.install import change, manager
from edge.install.dropins import DropIn, broker, capture_credentials, collector_credentials, newer, relay_credentials
from edge.install.manager import run_patiently
from edge.install.manifest import read_manifest
from edge.install.owners import group_ids, set_right, wrong_rights
from edge.install.place import made_of, refuse_hidden, this_program
from edge.install.plan import Plan, compare
from edge.install.remove import WORD, purge, remove
from edge.install.sources import unit_folder
from edge.install.wanted import PACKAGED, Role, drop_in_files, newer_files, optional_paths, wanted_files
from wire.exit import Exit

SETTINGS = {Role.DEVICE: "etc/speckled/speckled.toml", Role.COLLECTOR: "etc/speckled/collector.toml"}
REAL = Path("/")


def main(
    arguments: Sequence[str],
    *,
    run: Program = run_patiently,
    ask: Callable[[], str] | None = None,
    real: Path = REAL,
) -> int:
    """Show or carry out an installation, or take it away. Returns 0; from --purge 1 where the word was not given.

    Args:
        arguments: of the command line.
        run: runs commands of the system, on the real root only.
        ask: gives the next line that a person types; by default of standard input.
        real: the root of the running system.

    Raises:
        ConfigError: the program lies where no unit can start it, or came without the units.
        InstallError: a file cannot be read or written.
    """
    options = _parser().parse_args(arguments)
    root: Path = options.root.resolve()
    system = run if root == real else None
    try:
        if options.remove or options.purge:
            return _away(root, system, ask or sys.stdin.readline, everything=options.purge)
        return _install(options, root, system)
    except OSError as error:
        raise InstallError(
            Reason.INSTALL, f"{error.filename or root}: {error.strerror or error}", "run as root, on a disk with room"
        ) from None


def _install(options: argparse.Namespace, root: Path, system: Program | None) -> int:
    role = Role(options.role)
    drop_ins = _drop_ins(role, root)
    plan = _plan(options, root, role, drop_ins)
    for keep in plan.keeps:
        _say(f"kept {root / keep.path}: it was changed by hand; --force replaces it")
    for each in drop_ins:
        if each.why_not:
            _say(f"no {each.unit}.d/{each.name}: {each.why_not}")
    if options.apply:
        _apply(plan, root, system)
    else:
        _show(plan, root, system)
    return Exit.OK


def _plan(options: argparse.Namespace, root: Path, role: Role, drop_ins: Sequence[DropIn]) -> Plan:
    folder = unit_folder()
    packaged = (root / PACKAGED).exists()
    program: Path = options.program or this_program()
    if not packaged:
        refuse_hidden(program, *(() if options.program else made_of()))
    wanted = wanted_files(role, folder, program, packaged=packaged) + drop_in_files(drop_ins)
    wanted += newer_files(role, folder) if newer(root) else []
    return compare(root, wanted, read_manifest(root), optional_paths(role), force=options.force)


def _drop_ins(role: Role, root: Path) -> list[DropIn]:
    path = root / SETTINGS[role]
    if not path.exists():
        _say(f"no drop-ins for a broker or for credentials: there is no {path} yet; install again when there is")
        return []
    try:
        if role is Role.COLLECTOR:
            return [collector_credentials(path, root)]
        settings = load(path)
    except (ConfigError, ValueError) as error:
        _say(f"no drop-ins for a broker or for credentials: {getattr(error, 'detail', error)}")
        return []
    return [broker(settings), relay_credentials(settings, root), capture_credentials(settings, root)]


def _apply(plan: Plan, root: Path, system: Program | None) -> None:
    told = change.carry_out(plan, root)
    for line in told:
        _say(line)
    if system:
        missing = "speckled" not in group_ids(root)
        for line in manager.carry_out(manager.commands(plan, users_missing=missing), system):
            told.append(line)
            _say(line)
    for right in wrong_rights(root):
        set_right(right, root)
        told.append(f"set {right}")
        _say(told[-1])
    noted = manager.note_exposure(system, root, again=bool(plan.writes or plan.drops)) if system else None
    if noted:
        told.append(noted)
        _say(noted)
    if not told:
        _say("nothing to change")
    elif system:
        _say("next: `speckled doctor`, which looks at swap, locked memory and the kernel's command line too, then")
        _say("      `systemctl enable --now speckled-capture` (on a collector: speckled-collector)")


def _show(plan: Plan, root: Path, system: Program | None) -> None:
    for write in plan.writes:
        sys.stdout.write(write.diff())
    would = [f"would remove {root / drop.path}" for drop in plan.drops]
    if system:
        missing = "speckled" not in group_ids(root)
        would += [f"would run {' '.join(line)}" for line in manager.commands(plan, users_missing=missing)]
    would += [f"would set {right}" for right in wrong_rights(root)]
    for line in would or ([] if plan.writes else ["nothing to change"]):
        _say(line)


def _away(root: Path, system: Program | None, ask: Callable[[], str], *, everything: bool) -> int:
    if everything:
        _say(f"This deletes settings, keys, outbox and ledger below {root}. Without its ledger this device no longer")
        _say("knows what it has spent, and what it released stays released. Type `" + WORD + "` to go on:")
        if ask().strip() != WORD:
            _say("nothing was removed")
            return Exit.FAILED
    for line in remove(root, system, everything=everything):
        _say(line)
    if everything:
        for line in purge(root):
            _say(line)
    return Exit.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("speckled install", description="put units, users and rules in their places")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--dry-run", action="store_true", help="show what would change, as a diff, and change nothing")
    what.add_argument("--apply", action="store_true", help="change it; a second time changes nothing")
    what.add_argument("--remove", action="store_true", help="take it away; settings, keys, ledger and outbox stay")
    what.add_argument("--purge", action="store_true", help="take it away with all that, after a word is typed")
    parser.add_argument("--role", choices=list(Role), default=Role.DEVICE, help="default: %(default)s")
    parser.add_argument("--root", type=Path, default=REAL, help="of an image; the running system is then left alone")
    parser.add_argument("--program", type=Path, help="what the units start; default: the speckled of this environment")
    parser.add_argument("--force", action="store_true", help="replace also files that were changed by hand")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
