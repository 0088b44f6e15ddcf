"""A reader of the journal, of the disk and of the network finds nothing of the frames."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from canary_rig import (
    RELEASES,
    assert_no_leak,
    canary_of,
    finish,
    releases,
    start_under,
    write_frames,
)
from loopback import PacketCapture

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

IMAGE_BYTES = 32 * 2**20
BLOCK = 4096
IN_ITS_OWN_PLACE = 'mkdir -p /run/systemd/journal && mount --bind "$1" /run/systemd/journal && shift && exec "$@"'


class Journal:
    """Stands for journald: takes datagrams at the place where services look for it, in their own view of it only."""

    def __init__(self, stack: ExitStack) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="journal-")))
        self.datagrams: list[bytes] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stack.callback(self._socket.close)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.settimeout(0.2)
        self._socket.bind(str(self.folder / "socket"))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        stack.callback(self.end)

    def start(self, site, name):
        """Start a process whose standard error is what the service manager says leads to the journal."""
        log = (site.folder / f"{name}.log").open("ab")
        found = os.fstat(log.fileno())
        log.close()
        command = ("unshare", "-m", "sh", "-c", IN_ITS_OWN_PLACE, "sh", str(self.folder))
        start_under(site, name, command, JOURNAL_STREAM=f"{found.st_dev}:{found.st_ino}")

    def end(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            try:
                self.datagrams.append(self._socket.recv(1 << 18))
            except TimeoutError:
                continue


@pytest.fixture
def journal():
    with ExitStack() as stack:
        if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
            pytest.skip("this system does not let a test have mounts of its own")
        yield Journal(stack)


@pytest.fixture
def packets(mosquitto):
    try:
        capture = PacketCapture(mosquitto.port)
    except PermissionError:
        pytest.skip("this system does not let a test see packets")
    yield capture
    capture.close()


class Image:
    """A disk in a file: mounted, it is the folder that the site lives in; not mounted, it is bytes."""

    def __init__(self, file, folder):
        self.file = file
        self.folder = folder
        with file.open("wb") as image:
            image.truncate(IMAGE_BYTES)
        subprocess.run([shutil.which("mkfs.ext4", path="/usr/sbin:/sbin"), "-q", str(file)], check=True)
        folder.mkdir()

    def mount(self):
        done = subprocess.run(["mount", "-o", "loop", str(self.file), str(self.folder)], check=False)
        return done.returncode == 0

    def unmount(self):
        subprocess.run(["umount", str(self.folder)], check=True)

    def used(self):
        """All that differs of the blocks that were ever written: also those of no file any more, and of the journal."""
        data = self.file.read_bytes()
        blocks = dict.fromkeys(data[place : place + BLOCK] for place in range(0, len(data), BLOCK))
        return b"".join(block for block in blocks if any(block))


@pytest.fixture
def image(tmp_path):
    """The folder of the site that is made next."""
    if shutil.which("mkfs.ext4", path="/usr/sbin:/sbin") is None:
        pytest.skip("needs mkfs.ext4: apt install e2fsprogs")
    image = Image(tmp_path / "disk.img", tmp_path / "site-0")
    if os.geteuid() or not image.mount():
        pytest.skip("this system does not let a test mount a disk")
    yield image
    if image.folder.is_mount():
        image.unmount()


@pytest.fixture
def frames_elsewhere(tmp_path):
    """Known frames in files that are on no disk of the site."""
    return write_frames(tmp_path / "frames")


@pytest.fixture
def site_on_image(image, site, frames_elsewhere, tmp_path):
    """The device on the image; frames and the collector's store lie elsewhere."""
    site.configure(camera=f'driver = "folder"\npath = "{tmp_path / "frames"}"', frames_per_second=60)
    (tmp_path / "store").mkdir()
    (site.folder / "store").rmdir()
    (site.folder / "store").symlink_to(tmp_path / "store")
    yield site
    site.close()


def test_no_frame_is_in_the_journal_the_disk_image_or_the_network_capture_of_a_run(
    site_on_image, image, journal, packets, listener, frames_elsewhere
):
    """The disk is read as a thief would read it: block by block, free ones and its own journal included."""
    site, frames = site_on_image, frames_elsewhere
    site.wait_for(lambda: listener.hear() is not None and listener.connected)
    site.start("collector")
    journal.start(site, "relay")
    journal.start(site, "capture")
    finish(site, listener)
    site.stop("collector")
    released = releases(site)
    said = b"\n".join(journal.datagrams)
    logs = b"".join(path.read_bytes() for path in site.folder.glob("*.log"))
    assert packets.close() == 0
    carried = [bytes(stream) for stream in packets.streams.values()]
    image.unmount()
    disk = image.used()

    assert len(released) == RELEASES
    assert said.count(b"level state: released ledger position") == RELEASES - 2
    assert b"SYSLOG_IDENTIFIER" in said
    observed = set(listener.observations())
    assert all(any(envelope in stream for stream in carried) for envelope in observed)
    assert b"CREATE TABLE observation" in disk
    assert b'"kind":"charge"' in disk

    canary = canary_of(frames, released)
    planted = np.random.default_rng(7).integers(0, 256, (1, 64), np.uint8)
    canary.add_frame("planted", planted)
    captured = {"journal": said, "logs": logs, "disk": disk, "packets": b"".join(packets.packets)}
    captured |= {f"stream {number}": stream for number, stream in enumerate(carried)}
    for name, data in captured.items():
        found = {secret.partition(",")[0] for secret, _ in canary.find(data + planted.tobytes())}
        assert found == {"planted"}, name


def test_the_search_of_a_disk_image_finds_what_a_deleted_file_held(image, frames_elsewhere):
    path = image.folder / "scratch"
    path.write_bytes(frames_elsewhere[3].tobytes())
    os.sync()
    path.unlink()
    image.unmount()
    canary = canary_of(frames_elsewhere, [])
    assert "frame 3, rows" in {name for name, _ in canary.find(image.used())}


def allow_core_dumps():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_a_capture_that_crashes_leaves_no_core_file_and_a_trace_without_pixels(site, frames, tmp_path, number):
    if Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip() != "core":
        pytest.skip("this system does not put core dumps beside the process that crashed")
    control = tmp_path / "control"
    control.mkdir()
    crash = [sys.executable, "-c", "import os; os.abort()"]
    subprocess.run(crash, cwd=control, check=False, preexec_fn=allow_core_dumps)
    assert list(control.iterdir()), "a process that does nothing against it leaves its memory"

    held = resource.getrlimit(resource.RLIMIT_CORE)
    allow_core_dumps()
    try:
        site.start("relay", "capture")
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, held)
    site.wait_for(lambda: b"window opened" in (site.folder / "capture.log").read_bytes())
    assert site.signal("capture", number) == -number

    log = (site.folder / "capture.log").read_bytes()
    assert b"Fatal Python error: " + (b"Aborted" if number == signal.SIGABRT else b"Segmentation fault") in log
    assert b"capture.py" in log
    assert [path for path in site.folder.rglob("core*") if path.is_file()] == []
    canary = canary_of(frames, releases(site))
    assert_no_leak(canary, {"log": log})
    assert canary.find(log + frames[7][40].tobytes())
