import resource
import subprocess
import sys

import pytest

ASK = """
import ctypes, resource, sys
from edge.memory import MemoryNotLockable, lock_memory
if sys.argv[1] == "poor":
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
    ctypes.CDLL(None).prctl(24, 14, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_IPC_LOCK: else root may lock what it likes
    import os
    os.setresuid(65534, 65534, 65534) if os.getuid() == 0 else None
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as for a user who never changed; a change of user takes it away
try:
    lock_memory()
except MemoryNotLockable as error:
    print(error.exit.name, error.remedy)
locked = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmLck"))
print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), "locked", int(locked) > 0)
"""


def ask(kind):
    done = subprocess.run([sys.executable, "-c", ASK, kind], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_process_that_locked_its_memory_has_locked_pages_and_leaves_no_core():
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError):
        pytest.skip("this system limits locked memory, and this user may not raise the limit (ulimit -l unlimited)")
    try:
        assert ask("rich") == "dumpable 0 locked True\n"
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, before)


def test_a_limit_that_is_too_low_is_a_configuration_error_and_still_leaves_no_core():
    said = ask("poor")
    assert said.startswith("CONFIG raise the limit")
    assert said.endswith("dumpable 0 locked False\n")
