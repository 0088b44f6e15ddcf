"""wire.broker.Broker with a memory: every event that has come, and waiting for the next of a kind."""

import time
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from wire.broker import Broker
from wire.events import Connected, Subscribed
from wire.options import BrokerOptions


class Client:
    """A broker client that tries again quickly. `options` are those of wire.options.BrokerOptions, unchecked."""

    def __init__(
        self,
        port,
        *,
        client_id="client",
        subscriptions=(),
        will=None,
        manual_ack=False,
        clock=time.monotonic,
        **options,
    ):
        self.events = SimpleQueue()
        self.past = []
        self.broker = Broker(
            BrokerOptions(port=port, **options),
            client_id=client_id,
            events=self.events,
            subscriptions=subscriptions,
            will=will,
            manual_ack=manual_ack,
            retry=(0.01, 0.05),
            jitter=lambda: 0.5,
            clock=clock,
        )

    def wait(self, kind, seconds=15):
        """The next event of this kind; those before it are in `past`."""
        end = time.monotonic() + seconds
        while True:
            try:
                event = self.events.get(timeout=max(0, end - time.monotonic()))
            except Empty:
                raise AssertionError(f"no {kind} in {self.past}") from None
            self.past.append(event)
            if isinstance(event, kind):
                return event


@contextmanager
def client(port, **how):
    """Started, and stopped in the end."""
    one = Client(port, **how)
    one.broker.start()
    try:
        yield one
    finally:
        one.broker.stop()


@contextmanager
def ready(port, **how):
    """The same, connected and subscribed."""
    with client(port, **how) as one:
        one.wait(Subscribed if how.get("subscriptions") else Connected)
        yield one
