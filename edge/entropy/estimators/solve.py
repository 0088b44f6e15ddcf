from collections.abc import Callable

_STEPS = 200


def falling(function: Callable[[float], float], target: float, low: float, high: float) -> float | None:
    """The x in [low, high] where a falling function passes `target`, to the last bit; None where f(low) ≤ target.

    Bisection: the functions of SP 800-90B have no handy inverse, and it cannot leave the interval. The upper end of
    the last interval is returned, which is the smaller entropy.
    """
    if function(low) <= target:
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if function(middle) > target:
            low = middle
        else:
            high = middle
    return high
