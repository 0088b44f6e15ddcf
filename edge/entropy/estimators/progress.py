from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Told what is being done, for people, and the share of the whole work that is done, 0 to 1."""


def silent(_step: str, _done: float) -> None:
    """Tell nobody."""


def within(progress: Progress, start: float, end: float) -> Progress:
    """The progress of a part that takes the work from `start` to `end`."""
    return lambda step, done: progress(step, start + (end - start) * done)
