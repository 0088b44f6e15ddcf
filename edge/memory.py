"""Keep what capture holds out of swap and core dumps (Linux), and what it has freed out of memory."""

import ctypes
import os
from typing import Final

import numpy as np

from edge.errors import Reason, SpeckledError
from wire.exit import Exit

MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
PR_SET_DUMPABLE = 4
_CACHED_BYTES: Final = 1024
_CACHED_BLOCKS: Final = 7
"""numpy keeps this many freed blocks of each size below _CACHED_BYTES (NCACHE and NBUCKETS in its alloc.c)."""


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


def overwrite_freed_arrays() -> None:
    """Overwrite the data of small arrays of 8-byte items that were freed, in numpy's own cache.

    The C library overwrites larger ones where it is told to (systemd/speckled-capture.service); these never reach it.
    Each size is asked for as often as it can be held, so that the cache is empty at the last of them.
    """
    for size in range(8, _CACHED_BYTES, 8):
        for block in [np.empty(size, np.uint8) for _ in range(_CACHED_BLOCKS)]:
            block.fill(0)
