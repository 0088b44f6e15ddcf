"""`python -m audit --out FOLDER`: everything that takes minutes, and one table at the end; 1 where a claim fails."""

import argparse
import os
import platform
import shlex
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from audit import claims
from audit.report import Row, markdown, write
from audit.terminal import Terminal

WORKERS = max(1, min(2, os.cpu_count() or 1))


def main() -> int:
    """Check every claim, or those that are named, and report."""
    parser = argparse.ArgumentParser("python -m audit", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("audit-run"), help="folder for the report and the pictures")
    parser.add_argument("--releases", type=int, default=100_000, help="tested releases of each video (100000)")
    parser.add_argument("--only", nargs="+", choices=claims.NAMES, default=claims.NAMES, help="some of the checks")
    options = parser.parse_args()
    if options.releases < claims.FEWEST:
        parser.error(f"--releases is at least {claims.FEWEST}")
    begin, terminal = time.monotonic(), Terminal(sys.stderr)
    rows: list[Row] = []
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        checks: dict[str, Callable[[], list[Row]]] = {
            "sensitivity": lambda: claims.sensitivity(pool, terminal),
            "ratios": claims.ratios,
            "divergence": claims.divergence,
            "sampler": lambda: claims.sampler(pool, terminal),
            "golden": claims.golden,
            "epsilon": lambda: claims.epsilon(pool, options.releases, terminal),
            "canaries": claims.canaries,
            "darkness": claims.darkness,
            "randomness": lambda: claims.randomness(options.out / "randomness"),
            "statistics": claims.statistics,
            "mutations": lambda: claims.mutations(WORKERS, terminal),
        }
        for name in (name for name in claims.NAMES if name in options.only):
            terminal.begin(name)
            try:
                rows += checks[name]()
            except Exception as error:  # a check that breaks must not keep the others from being told
                traceback.print_exc()
                rows.append(Row(name, "this check broke off", "0", type(error).__name__, "", holds=False))
            terminal.end()
    facts = _facts(time.monotonic() - begin)
    write(options.out, rows, facts)
    sys.stdout.write("\n" + "\n".join(f"{name}: {value}" for name, value in facts.items()))
    sys.stdout.write(f"\n\n{markdown(rows)}\n\nThe same in {options.out / 'report.md'} and report.json.\n")
    return 1 if any(row.fails for row in rows) else 0


def _facts(seconds: float) -> dict[str, str]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["python", "-m", "audit", *sys.argv[1:]]),
        "commit": commit.stdout.strip() or "not in a repository",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, {platform.system()} {platform.release()}",
        "versions": f"Python {platform.python_version()}, numpy {np.__version__}",
        "took": f"{seconds:.0f} s",
    }


if __name__ == "__main__":
    sys.exit(main())
