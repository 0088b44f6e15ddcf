from dataclasses import dataclass, field
from pathlib import Path

from edge.relay.bounds import Bounds
from edge.relay.deliver import Patience
from edge.relay.guard import RateBudget
from edge.relay.watch import WatchOptions
from wire.cose import Keys
from wire.options import BrokerOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOptions:
    """Everything the relay is told.

    device, root: name the topics. socket: where capture connects; users: further user ids that may. outbox: the
    database file, and bounds how much it holds. device_key: what capture signs with; collector_key: what
    acknowledgements are signed with. software: for the birth message. health_seconds: between two health messages.
    watch: who may watch the relay. message_expiry: seconds that a broker may keep an observation.
    """

    device: str
    root: str
    socket: Path
    outbox: Path
    device_key: Keys
    collector_key: Keys
    broker: BrokerOptions
    software: str
    health_seconds: float = 30.0
    message_expiry: int = 7 * 86400
    patience: Patience = field(default_factory=Patience)
    bounds: Bounds = field(default_factory=Bounds)
    budget: RateBudget = field(default_factory=RateBudget)
    users: frozenset[int] = frozenset()
    watch: WatchOptions = field(default_factory=WatchOptions)
