from collections import Counter

from edge.relay.outbox import Outbox
from wire.schema import Health


def health_of(outbox: Outbox, *, session: str, capture: bool) -> Health:
    """The account and the counters of an outbox as a message. Raises OutboxUnusable, OutboxDamaged."""
    counters = outbox.counters()
    account = outbox.account()
    return Health(
        session=session,
        made=account.made,
        dropped=account.dropped,
        spooled=account.spooled,
        accepted=counters["accepted"],
        sent=counters["sent"],
        acknowledged=counters["acknowledged"],
        waiting=outbox.held,
        evicted=_by_word(counters, "evicted:"),
        lost=account.lost,
        set_aside=counters["set_aside"],
        refused=_by_word(counters, "refused:"),
        forked=counters["forked"],
        capture=capture,
    )


def _by_word(counters: Counter[str], prefix: str) -> dict[str, int]:
    found = sorted(counters.items())
    return {name.removeprefix(prefix): number for name, number in found if name.startswith(prefix) and number}
