"""How much memory the capture process takes while it runs."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wire.keys import make_key_pair

SECONDS = 12.0
LIMIT_MB = 150


def capture_memory() -> str:
    """Run capture on a 640x480 synthetic camera with the default profile, and read its peak resident set."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_key_pair(folder / "device.key", folder / "device.pub")
        settings = folder / "speckled.toml"
        settings.write_text(SETTINGS, encoding="utf-8")
        command = [sys.executable, "-m", "edge", "capture", "--config", str(settings)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            start, peak = time.monotonic(), 0.0
            while time.monotonic() - start < SECONDS and process.poll() is None:
                time.sleep(0.25)
                peak = max(peak, _resident_mb(process.pid, "VmHWM"))
            releases = len(list(folder.glob("capture/releases/*/*.cbor")))
            process.terminate()
    if not releases:
        raise RuntimeError("capture published nothing while it was measured")
    verdict = "under" if peak < LIMIT_MB else "OVER"
    return (
        f"Peak resident set of `speckled capture`, profile `place`, 640x480, {releases} releases described in "
        f"{SECONDS:.0f} s: **{peak:.0f} MB** ({verdict} the limit of {LIMIT_MB} MB)."
    )


def _resident_mb(pid: int, field: str) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    found = re.search(rf"{field}:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else 0.0


SETTINGS = """
[device]
id = "bench"
[camera]
driver = "synthetic"
[qrng]
driver = "emulated-microrng"
[privacy]
frames_per_second = "1/600"
[simulation]
speedup = 18000
[capture]
state = "capture"
[relay]
socket = "absent.sock"
"""
