"""What capture finds about itself, in made-up trees of /proc and /sys, and here."""

import os
import subprocess
import sys
from contextlib import contextmanager

import msgspec
import pytest

from edge.attest import process
from edge.attest.gather import gather
from edge.attest.machine import is_root_read_only, swaps_to
from edge.attest.tree import Tree

GOOD = {
    "proc/self/status": (
        "Name:\tspeckled\nVmLck:\t   300 kB\nVmRSS:\t   200 kB\n"
        "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
        "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t9\n"
    ),
    "proc/self/limits": (
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max core file size        0                    0                    bytes     \n"
        "Max locked memory         unlimited            unlimited            bytes     \n"
    ),
    "proc/self/coredump_filter": "00000000\n",
    "proc/self/smaps": (
        "55d0c0000000-55d0c0001000 rw-p 00000000 00:00 0                          [heap]\n"
        "Size:                  4 kB\nVmFlags: rd wr mr mw me lo ac \n"
        "7ffd00000000-7ffd00004000 r--p 00000000 00:00 0                          [vvar]\n"
        "Size:                 16 kB\nVmFlags: rd mr pf io de dd \n"
        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
        "Size:                  4 kB\nVmFlags: ex \n"
    ),
    "proc/self/mountinfo": "24 1 179:2 / / ro,noatime shared:1 - ext4 /dev/root ro\n",
    "proc/self/net/dev": "Inter-|   Receive\n face |bytes\n    lo:       0       0\n",
    "proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
    "proc/sys/kernel/core_pattern": "core\n",
}
OVERLAY = "24 1 0:20 / / rw - overlay overlayroot rw,lowerdir=/media/ro,upperdir=/media/rw/overlay\n"
SWAP_TITLE = GOOD["proc/swaps"]


class Quiet:
    """A process that may do nothing."""

    def __init__(self, *, dumpable=0, opens=False):
        self._dumpable, self._opens = dumpable, opens

    def dumpable(self):
        return self._dumpable

    def opens_sockets(self):
        return self._opens

    @contextmanager
    def new_mapping(self):
        yield


def tree_at(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def found(folder, inside=None, **changed):
    files = {name: changed.pop(name, text) for name, text in GOOD.items()} | changed
    root = tree_at(folder, {name: text for name, text in files.items() if text is not None})
    return gather(bytes(32), root=root, inside=inside or Quiet())


def findings(attestation):
    tree = msgspec.structs.asdict(attestation)
    return {name: tree[name] for name in tree if name not in {"code", "configuration", "exposure"}}


WORST = {
    "locked_memory": False,
    "swap": "disk",
    "core_dumps": True,
    "network": True,
    "filtered": False,
    "privileges": True,
    "read_only_root": False,
}


def test_a_process_with_every_protection_is_found_to_have_them(tmp_path):
    assert findings(found(tmp_path)) == {
        "locked_memory": True,
        "swap": "none",
        "core_dumps": False,
        "network": False,
        "filtered": True,
        "privileges": False,
        "read_only_root": True,
    }


def test_where_nothing_can_be_read_every_finding_is_the_worse_one(tmp_path):
    assert findings(gather(bytes(32), root=tmp_path, inside=Quiet(dumpable=None, opens=True))) == WORST


@pytest.mark.parametrize("name", GOOD)
def test_one_file_that_cannot_be_read_makes_no_finding_better(tmp_path, name):
    without = findings(found(tmp_path, **{name: None}))
    best = findings(found(tmp_path / "all"))
    assert all(without[finding] in {best[finding], WORST[finding]} for finding in WORST)


def test_files_of_rubbish_are_the_worst_and_raise_nothing(tmp_path):
    rubbish = "\x00\xff: - : \n -\n" * 5
    attestation = found(tmp_path, Quiet(dumpable=1, opens=True), **dict.fromkeys(GOOD, rubbish))
    assert findings(attestation) == WORST


@pytest.mark.parametrize("field", ["CapInh", "CapPrm", "CapEff", "CapAmb"])
def test_one_held_capability_is_a_privilege(field):
    fields = process.status(GOOD["proc/self/status"]) | {field: "0000000000000200"}
    assert process.is_privileged(fields)


def test_a_bounding_set_is_a_privilege_only_where_new_ones_may_be_gained():
    fields = process.status(GOOD["proc/self/status"]) | {"CapBnd": "000001ffffffffff"}
    assert not process.is_privileged(fields)
    assert process.is_privileged(fields | {"NoNewPrivs": "0"})


def test_one_mapping_that_could_be_swapped_means_that_memory_is_not_locked():
    locked = GOOD["proc/self/smaps"]
    assert process.is_locked(locked)
    assert not process.is_locked(locked + "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \nVmFlags: rd wr mr ac \n")
    assert not process.is_locked(locked + "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \nSize: 4 kB\n")


def test_the_page_that_the_c_library_asks_the_kernel_to_drop_cannot_be_swapped():
    droppable = "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \nVmFlags: rd wr mr mw me nr dd wf dp sd \n"
    assert process.is_locked(GOOD["proc/self/smaps"] + droppable)


@pytest.mark.parametrize(
    ("dumpable", "dump_filter", "hard", "pattern", "expected"),
    [
        (0, "00000033", "unlimited", "|/usr/lib/systemd/systemd-coredump %P", False),
        (1, "00000000", "unlimited", "core", False),
        (1, "00000033", "0", "core", False),
        (1, "00000033", "0", "|/usr/lib/systemd/systemd-coredump %P", True),
        (1, "00000033", "0", "@/run/systemd/coredump", True),
        (1, "00000033", "unlimited", "core", True),
        (2, "00000033", "unlimited", "core", True),
        (None, None, "0", None, True),
    ],
)
def test_a_limit_of_core_files_does_not_stop_a_pipe(dumpable, dump_filter, hard, pattern, expected):
    answer = process.may_dump(dumpable=dumpable, coredump_filter=dump_filter, core=("0", hard), pattern=pattern)
    assert answer is expected


@pytest.mark.parametrize(
    ("swaps", "files", "expected"),
    [
        ("", {}, "none"),
        ("/dev/zram0 partition 1 0 100\n", {"sys/block/zram0/backing_dev": "none\n"}, "memory"),
        ("/zram0 partition 1 0 100\n", {"sys/block/zram0/disksize": "4096\n"}, "memory"),
        ("/dev/zram0 partition 1 0 100\n", {"sys/block/zram0/backing_dev": "/dev/loop0\n"}, "disk"),
        ("/dev/zram0 partition 1 0 100\n", {}, "disk"),
        ("/var/zram0 file 1 0 100\n", {"sys/block/zram0/backing_dev": "none\n"}, "disk"),
        ("/var/swap file 1 0 100\n", {}, "disk"),
        (
            "/dev/zram0 partition 1 0 100\n/var/swap file 1 0 -2\n",
            {"sys/block/zram0/backing_dev": "none\n"},
            "disk",
        ),
    ],
)
def test_compressed_memory_counts_as_memory_only_without_a_disk_behind_it(tmp_path, swaps, files, expected):
    root = tree_at(tmp_path, files | {"proc/swaps": SWAP_TITLE + swaps})
    assert swaps_to(Tree(root)) == expected


@pytest.mark.parametrize(
    ("mountinfo", "expected"),
    [
        ("24 1 179:2 / / rw - ext4 /dev/root rw\n", False),
        ("24 1 179:2 / / ro,relatime - ext4 /dev/root rw\n", False),
        ("24 1 179:2 / / rw - ext4 /dev/root rw\n25 1 179:2 / / ro - ext4 /dev/root ro\n", True),
        (
            OVERLAY + "25 24 0:21 / /media/rw rw - tmpfs tmpfs rw\n",
            True,
        ),
        (
            OVERLAY + "25 24 179:3 / /media/rw rw - ext4 /dev/sda1 rw\n",
            False,
        ),
        ("", False),
    ],
)
def test_a_root_is_read_only_where_nothing_that_is_written_reaches_its_disk(mountinfo, expected):
    assert is_root_read_only(mountinfo) is expected


def test_any_interface_beside_the_loopback_or_any_socket_is_a_network():
    only_lo = GOOD["proc/self/net/dev"]
    assert not process.has_network(only_lo, opens_sockets=False)
    assert process.has_network(only_lo, opens_sockets=True)
    assert process.has_network(only_lo + " wlan0: 0 0\n", opens_sockets=False)


def test_memory_locked_once_but_not_for_what_comes_is_not_locked():
    """In a process of its own, as locks would stay with the test's."""
    program = (
        "import ctypes, sys\n"
        "from edge.attest.gather import gather\n"
        "def locked(): return gather(bytes(32)).locked_memory\n"
        "found = [locked()]\n"
        "for flags in (1 | 4, 1 | 2 | 4):\n"
        "    if ctypes.CDLL(None).mlockall(flags): sys.exit(3)\n"
        "    found.append(locked())\n"
        "print(found)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip("this machine does not let memory be locked")
    assert done.stdout == "[False, False, True]\n", done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_process_without_rights_that_may_not_be_dumped_can_still_look_at_itself():
    program = (
        "import ctypes, os\n"
        "from edge.attest.gather import gather\n"
        "from edge.attest.tree import Tree\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"
        "ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)\n"
        "found = gather(bytes(32))\n"
        "names = 'status', 'smaps', 'limits', 'coredump_filter', 'mountinfo', 'net/dev'\n"
        "unread = [name for name in names if not Tree().text(f'/proc/self/{name}')]\n"
        "print(found.core_dumps, found.privileges, unread)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "False False []\n", done.stderr


def test_the_look_from_inside_starts_no_program(monkeypatch):
    def started(*_args, **_kwargs):
        raise AssertionError

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(os, "posix_spawn", started)
    monkeypatch.setattr(os, "fork", started)
    here = gather(bytes(range(32)))
    assert here.configuration == bytes(range(32))
    assert len(here.code) == 32
