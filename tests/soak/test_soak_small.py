import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import PROGRAMS, ROOT

from soak.plants import PLANTS

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def broker():
    if shutil.which("mosquitto", path=PROGRAMS) is None:
        pytest.skip("needs mosquitto: apt install mosquitto")


@pytest.fixture
def folder():
    """Not pytest's own: its names are longer than a socket's may be."""
    with TemporaryDirectory(prefix="soak-") as path:
        yield Path(path)


@pytest.fixture
def start():
    """Start runs, which end with the test."""
    with ExitStack() as stack:
        yield lambda folder, *arguments: stack.enter_context(running(folder, *arguments))


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A run in a process of its own: pytest's has threads, and cannot be forked."""
    folder.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-m", "soak", "--dir", str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def test_sixty_random_faults_cost_no_charge_and_no_committed_observation(folder, start):
    run = start(folder, "--faults", "60", "--per-life", "15", "--jobs", "4", "--seed", "5")
    said, _ = run.communicate(timeout=150)
    assert run.returncode == 0, said
    assert re.search(r"^all +60$", said, re.MULTILINE), said
    account = re.search(r"committed (\d+) = stored exactly once (\d+) \+ .*? (\d+)$", said, re.MULTILINE)
    committed, stored, destroyed = map(int, account.groups())
    assert committed == stored + destroyed
    assert stored > 30
    assert "violations 0" in said
    assert not list(folder.iterdir())


def test_the_account_finds_each_planted_defect(folder, start):
    """Whichever of its consequences comes first; the moments of processes are not the same twice."""
    runs = {
        name: start(folder / name, "--plant", name, "--faults", "80", "--jobs", "1", "--seed", "1") for name in PLANTS
    }
    for name, run in runs.items():
        said, _ = run.communicate(timeout=150)
        assert run.returncode == 1, name
        assert "VIOLATION in life 1 of seed 1" in said, said[-3000:]
        assert "Traceback" not in said, said[-3000:]  # a plant that breaks down proves nothing
        assert "within 90 s" not in said, said[-3000:]
