"""`python -m audit.mutate [NAME ...]`: break a copy of the program in each named way; its test must fail."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from queue import SimpleQueue

from audit.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("audit", "benchmarks", "collector", "demo", "docs", "drivers", "edge", "models", "systemd", "tests", "wire")
SECONDS = 120
"""How long one test may take."""
_PASSED, _FAILED = 0, 1


class Fate(Enum):
    """What became of a mutation."""

    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    STALE = "STALE: its old text is not in the file exactly once"
    BROKEN = "BROKEN: its test did not run to an end, or fails unbroken"


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutation and its fate. detail: the last lines of a test that did not run as it should."""

    mutation: Mutation
    fate: Fate
    detail: str = ""


class Copy:
    """A copy of the program and its tests, to be broken and mended again."""

    def __init__(self, folder: Path) -> None:
        for name in COPIED:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
                shutil.copytree(ROOT / name, folder / name, ignore=ignored, symlinks=True)
        shutil.copy(ROOT / "pyproject.toml", folder)
        self._folder = folder

    def passes(self, tests: Iterable[str]) -> tuple[int, str]:
        """The exit status of pytest over these tests, and its last lines."""
        # Without bytecode, as a change within a second that keeps the size would go unnoticed.
        environment = {**os.environ, "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"}
        options = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--timeout", str(SECONDS))
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, "\n".join(ended.stdout.splitlines()[-12:])

    def try_out(self, mutation: Mutation) -> Tried:
        """Break the copy, run the test, mend the copy."""
        path = self._folder / mutation.path
        text = path.read_text(encoding="utf-8")
        if text.count(mutation.old) != 1:
            return Tried(mutation, Fate.STALE)
        path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        try:
            status, detail = self.passes([node(mutation)])
        finally:
            path.write_text(text, encoding="utf-8")
        if status == _FAILED and "Timeout" not in detail:
            return Tried(mutation, Fate.CAUGHT)
        return Tried(mutation, Fate.SURVIVED if status == _PASSED else Fate.BROKEN, detail)


def node(mutation: Mutation) -> str:
    """The test, as pytest names it."""
    return f"{mutation.room}::{mutation.test}"


def try_all(
    mutations: Sequence[Mutation], tell: Callable[[int, Tried], None] = lambda *_: None, workers: int = 1
) -> list[Tried]:
    """Try each; `tell` hears of each as it ends. A test that fails unbroken as well catches nothing."""
    tried: list[Tried] = []
    free: SimpleQueue[Copy] = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder, ThreadPoolExecutor(workers) as pool:
        for number in range(workers):
            free.put(Copy(Path(folder) / str(number)))
        with _borrowed(free) as copy:
            status, _ = copy.passes(sorted({node(mutation) for mutation in mutations}))
        unbroken = status == _PASSED

        def attempt(mutation: Mutation) -> Tried:
            with _borrowed(free) as copy:
                if not unbroken:
                    status, detail = copy.passes([node(mutation)])
                    if status != _PASSED:
                        return Tried(mutation, Fate.BROKEN, detail)
                return copy.try_out(mutation)

        for one in pool.map(attempt, mutations):
            tried.append(one)
            tell(len(tried), one)
    return tried


@contextmanager
def _borrowed(free: "SimpleQueue[Copy]") -> Iterator[Copy]:
    copy = free.get()
    try:
        yield copy
    finally:
        free.put(copy)


def main() -> int:
    """Try the named mutations, or all; 1 where one is not caught."""
    parser = argparse.ArgumentParser("python -m audit.mutate", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutations of audit/mutations.py")
    names = parser.parse_args().names
    chosen = [mutation for mutation in MUTATIONS if not names or mutation.name in names]
    unknown = set(names) - {mutation.name for mutation in chosen}
    if unknown:
        parser.error(f"there is no mutation {', '.join(sorted(unknown))}")

    def tell(count: int, tried: Tried) -> None:
        mutation = tried.mutation
        sys.stdout.write(f"{count}/{len(chosen)} {tried.fate.value}: {mutation.name} ({mutation.why})\n")
        if tried.detail:
            sys.stdout.write(tried.detail + "\n")
        sys.stdout.flush()

    tried = try_all(chosen, tell, workers=min(2, os.cpu_count() or 1))
    return 0 if all(one.fate is Fate.CAUGHT for one in tried) else 1


if __name__ == "__main__":
    sys.exit(main())
