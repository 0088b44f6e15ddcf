"""Keep what capture holds out of swap and core dumps (Linux)."""

import ctypes
import os

from edge.errors import Reason, SpeckledError
from wire.exit import Exit

MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
PR_SET_DUMPABLE = 4


class MemoryNotLockable(SpeckledError):
    """Frames could reach a swap device."""

    exit = Exit.CONFIG


def lock_memory() -> None:
    """Lock all pages of this process, present and future, into memory, and make it undumpable.

    MCL_ONFAULT locks a page when it is first touched, so reserved but unused memory costs nothing (mlockall(2)).

    Raises:
        MemoryNotLockable: the limit on locked memory is too low.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT):
        raise MemoryNotLockable(
            Reason.MEMORY,
            f"frames could be swapped to a disk: {os.strerror(ctypes.get_errno())}",
            "raise the limit (systemd: LimitMEMLOCK=infinity; shell: ulimit -l unlimited), or set "
            "require_locked_memory = false in [capture] for a trial",
        )
