"""`make bench`: what a frame, the noise of a window and the memory of capture cost, and what noise costs elsewhere."""

import argparse
import datetime as dt
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.frame_cost import frame_costs
from benchmarks.health_cost import health_costs
from benchmarks.ledger_cost import ledger_costs
from benchmarks.memory import capture_memory
from benchmarks.network_cost import network_costs
from benchmarks.noise_cost import noise_costs
from benchmarks.sampler_cost import sampler_costs
from benchmarks.service_cost import service_costs

PACKAGES = ("speckled", "numpy", "opencv-python-headless", "opendp", "diffprivlib")


def main() -> None:
    parser = argparse.ArgumentParser("make bench")
    parser.add_argument("--write", type=Path, help="also write the report to this file")
    options = parser.parse_args()
    sections = [_machine()]
    parts = (
        ("A frame into a window", frame_costs),
        ("Noise of a window", noise_costs),
        ("Exact noise beside its peers", sampler_costs),
        ("Health tests", health_costs),
        ("The ledger", ledger_costs),
        ("Memory", capture_memory),
        ("The services", service_costs),
        ("The network", network_costs),
    )
    for title, make in parts:
        sys.stderr.write(f"measuring: {title.lower()} ...\n")
        sections.append(f"## {title}\n\n{make()}")
    report = "# What it costs\n\n" + "\n\n".join(sections) + "\n"
    sys.stdout.write(report)
    if options.write:
        options.write.write_text(report, encoding="utf-8")


def _machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {_processor()}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {versions}. Printed by `make bench`, on one core."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown processor"


if __name__ == "__main__":
    main()
