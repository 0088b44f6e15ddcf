from collections.abc import Callable, Iterator, Sequence

from edge.doctor.checks import CHECKS, Check
from edge.doctor.device import Device
from edge.doctor.finding import Finding, Outcome, fail


def examine(
    device: Device, checks: Sequence[Check] = CHECKS, waiting: Callable[[str], None] = lambda _what: None
) -> Iterator[Finding]:
    """Make each check, whatever became of the others. A check that raises has failed, and says with what.

    Args:
        device: what is looked at.
        checks: in this order.
        waiting: told what a person waits for, before each check that may take seconds, and "" after it.
    """
    for check in checks:
        if check.wait:
            waiting(check.wait)
        for outcome in _outcomes(check, device):
            yield Finding(check.group, check.name, outcome.status, _plain(outcome.detail), _plain(outcome.remedy))
        if check.wait:
            waiting("")


def _outcomes(check: Check, device: Device) -> list[Outcome]:
    try:
        found = check.look(device)
    except Exception as error:  # one check must not take the others with it
        remedy = "report this as a defect of the check, with the settings and without the keys"
        return [fail(f"the check could not be made: {type(error).__name__}: {error}", remedy)]
    return [found] if isinstance(found, Outcome) else found


def _plain(text: str) -> str:
    """One line that a terminal shows as it is: names of files, brokers and modules may hold anything."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
