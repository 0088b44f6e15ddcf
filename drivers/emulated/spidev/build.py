import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")


class ShimUnavailable(Exception):
    """The shim cannot be built here: why, in one line."""


def build_shim(folder: Path) -> Path:
    """Compile the shim into `folder` and return the library's path. Raises ShimUnavailable."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise ShimUnavailable("the shim needs a C compiler: apt install gcc libc6-dev")
    library = folder / "spidev-shim.so"
    command = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-pthread"]
    done = subprocess.run([*command, "-o", library, SOURCE, "-ldl"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ShimUnavailable(f"the shim does not compile: {done.stderr.strip().splitlines()[0]}")
    return library
