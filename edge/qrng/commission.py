"""`speckled qrng commission`: how much entropy the raw samples of one device hold."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from drivers.errors import QrngError
from edge.entropy.estimators import commission as estimators
from edge.entropy.estimators import report as forms
from edge.entropy.estimators.assess import LEAST
from edge.entropy.estimators.commission import Commissioning
from edge.entropy.estimators.nist import TOOL, NistError, find_tool
from edge.entropy.estimators.page import page
from edge.errors import ConfigError, EntropyUnavailable, Reason
from edge.qrng.device import Chosen
from edge.qrng.open import make_source, unavailable
from edge.qrng.show import Progress, Report
from wire.exit import Exit

FORMS: Final = {"report.txt": forms.text, "report.json": forms.as_json, "report.html": page}


def commission(
    chosen: Chosen,
    *,
    out: Path,
    samples: int,
    restarts: int,
    nist: bool,
    as_json: bool,
    clock: Callable[[], float] = time.monotonic,
    today: Callable[[], date] = lambda: datetime.now(UTC).date(),
) -> int:
    """Collect raw samples and restarts, estimate their min-entropy, and write the report into `out`.

    nist: let NIST's tool assess the same samples, too. Raises ConfigError for too few samples, a folder that cannot
    be written or a tool that does not work, and EntropyUnavailable where the device fails or nothing may be credited.
    """
    if samples < LEAST:
        raise ConfigError(
            Reason.CONFIG,
            f"--samples {samples}: the estimators need at least {LEAST}",
            "leave it out for the 1,000,000 that SP 800-90B asks for",
        )
    tool = _nist_tool() if nist else None
    _try_folder(out)
    source = make_source(chosen.qrng)
    report = Report(as_json)
    report.title(f"Commissioning {chosen.name}: {samples:,} samples in a row, {restarts:,} restarts. None is kept.")
    progress = Progress(clock)
    try:
        found = estimators.commission(
            source, on=today(), samples=samples, restarts=restarts, nist=tool, progress=progress.update, clock=clock
        )
    except QrngError as error:
        raise unavailable(error) from None
    except NistError as error:
        raise ConfigError(Reason.CONFIG, f"--nist: {error}", error.remedy) from None
    finally:
        progress.clear()
    _write(out, found)
    report.say(forms.text(found).rstrip("\n"))
    report.say()
    report.say(f"Written: {', '.join(str(out / name) for name in FORMS)}")
    if found.credit > 0:
        report.say(f'To use it, in speckled.toml: [entropy] commissioned = "{out.resolve() / "report.json"}"')
    report.finish(device=chosen.name, credit=float(found.credit), report=str(out / "report.json"))
    if found.credit <= 0:
        raise EntropyUnavailable(
            Reason.ENTROPY_START,
            f"nothing may be credited to the samples of this device ({out / 'report.txt'})",
            "Do not use it: check its wiring and power, and commission it again.",
        )
    return Exit.OK


def _nist_tool() -> str:
    tool = find_tool()
    if tool is None:
        raise ConfigError(
            Reason.CONFIG,
            f"--nist: {TOOL} is not on the PATH",
            "build it from github.com/usnistgov/SP800-90B_EntropyAssessment, or leave out --nist",
        )
    return tool


def _try_folder(folder: Path) -> None:
    """A million samples are not drawn for a report that cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.txt").open("a").close()
    except OSError as error:
        raise _unwritable(folder, error) from None


def _write(folder: Path, found: Commissioning) -> None:
    for name, form in FORMS.items():
        try:
            (folder / name).write_text(form(found), encoding="utf-8")
        except OSError as error:
            raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(Reason.CONFIG, f"--out {folder}: {error.strerror}", "name a folder that may be written")
