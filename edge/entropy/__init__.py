from edge.entropy.latch import Latch
from edge.entropy.pool import EntropyPool
from edge.entropy.retest import retest_and_clear
from edge.entropy.source import State

__all__ = ["EntropyPool", "Latch", "State", "retest_and_clear"]
