"""The console command. Each house names its subcommands as entry points, so that neither has to import the other."""

import os
import select
import sys
import traceback
from importlib.metadata import EntryPoint, entry_points, version

from wire.exit import Exit

GROUP = "speckled.commands"
BROKEN_PIPE = 128 + 13
"""What a shell calls the end by SIGPIPE."""
ORDER = (
    *("init", "install", "config", "keys", "doctor", "attest"),
    *("run", "capture", "relay", "camera", "aim"),
    *("ledger", "verify", "show", "card", "qrng"),
    *("collector", "compare"),
)


def main() -> int:
    """Run `speckled <command> ...`. Every expected error ends as one line on standard error and a documented status."""
    commands = {point.name: point for point in entry_points(group=GROUP)}
    name, *arguments = sys.argv[1:] or [""]
    if name in {"-h", "--help", "help", ""}:
        sys.stdout.write(_help(commands))
        return Exit.OK if name else Exit.USAGE
    if name in {"-V", "--version"}:
        sys.stdout.write(f"speckled {version('speckled')}\n")
        return Exit.OK
    if name not in commands:
        sys.stderr.write(f"speckled: there is no command `{name}`. Run `speckled --help` for the list.\n")
        return Exit.USAGE
    return _run(commands[name], arguments)


def _run(command: EntryPoint, arguments: list[str]) -> int:
    try:
        return int(command.load()(arguments))
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        _write(
            f"speckled: `speckled {command.name}` needs the module {error.name}. "
            "Install the extra that brings it, for example: pip install 'speckled[collector]'.\n"
        )
        return Exit.CONFIG
    except Exception as error:  # the border of the process: expected errors have a remedy, others are defects
        remedy = getattr(error, "remedy", None)
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return BROKEN_PIPE
        if remedy is None:
            _write(traceback.format_exc())
            return Exit.INTERNAL
        _write(f"speckled: {str(error).rstrip('.')}. {_sentence(remedy)}\n")
        return int(getattr(error, "exit", Exit.FAILED))


def _write(text: str) -> None:
    """To standard error. Where that goes to a full disk, the status still says what happened."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # what is left of it must not make the interpreter's own end fail either (status 120)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _nobody_reads() -> bool:
    """Whether standard output was closed by its reader, such as `head`; if so, the rest of it is dropped."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    broken = any(event & select.POLLERR for _, event in poll.poll(0))
    if broken:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return broken


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text.endswith("?") else text[:1].upper() + text[1:].rstrip(".") + "."


def _help(commands: dict[str, EntryPoint]) -> str:
    lines = ["speckled: private descriptors from a camera, and nothing else", "", "Commands:"]
    known = [name for name in ORDER if name in commands] + sorted(set(commands) - set(ORDER))
    lines += [f"  {name:<10} {_SUMMARY.get(name, '')}".rstrip() for name in known]
    lines += ["", "`speckled <command> --help` tells more. docs/exit-codes.md lists the exit statuses.", ""]
    return "\n".join(lines)


_SUMMARY = {
    "init": "make a device key and a commented speckled.toml",
    "run": "start capture and relay together",
    "capture": "the process that sees pixels and has no network",
    "relay": "the process that has the network and sees no pixels",
    "ledger": "show, verify or export the record of every charge",
    "verify": "check a signed observation away from its device",
    "show": "draw the keypoints of an observation, or of a release over its private map",
    "card": "what is promised at which distance and for how long",
    "qrng": "list, probe, test and commission entropy sources",
    "config": "check, show and explain the settings",
    "doctor": "look for everything that would keep this device from working",
    "attest": "report what protects this device, as it is found",
    "keys": "show, request, renew and rotate keys",
    "install": "put units, users and rules in their places",
    "camera": "the privacy switch: close the camera, or open it again",
    "aim": "draw edges of what the camera sees in the terminal, for a limited time",
    "collector": "store what devices publish, acknowledge it, and show it",
    "compare": "do two observations show the same place?",
}
