from edge.entropy.latch import Latch
from edge.entropy.pool import EntropyPool


def retest_and_clear(pool: EntropyPool, latch: Latch) -> str | None:
    """Clear `latch` after `pool` has passed everything that a source must pass. The caller stops the pool.

    The pool is made without a latch, since one that has it refuses to start. It is identified and link-tested, goes
    through the start-up tests twice, on different samples, and gives a block of output by the whole way. Returns the
    reason that was latched, None where there was none. Raises EntropyUnavailable and leaves the latch as it is; OSError
    where it cannot be removed.
    """
    pool.start()
    pool.retest()
    out = pool.take(1)
    out[:] = bytes(len(out))
    earlier = latch.read()
    latch.clear()
    return earlier
