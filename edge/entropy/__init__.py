from edge.entropy.latch import Latch
from edge.entropy.pool import EntropyPool, State

__all__ = ["EntropyPool", "Latch", "State"]
