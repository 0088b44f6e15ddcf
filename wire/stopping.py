import signal
import threading


def stop_on_signals(*numbers: int) -> threading.Event:
    """An event that SIGTERM and SIGINT, and any other signals named, will set. Call it in the main thread.

    The handler sets it from a thread: a handler runs between two steps of the main thread, which may at that moment
    hold the event's own lock, and would wait for itself.
    """
    stop = threading.Event()
    for number in {signal.SIGTERM, signal.SIGINT, *numbers}:
        signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
    return stop
