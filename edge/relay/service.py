"""The process that has the network: takes envelopes from capture, keeps them, and delivers them."""

import logging
import os
import random
import secrets
import threading
import time
from collections.abc import Callable

import msgspec

from edge.errors import BrokerRefused, ConfigError, Reason, RelayError
from edge.relay.custody import Custody
from edge.relay.guard import Guard, GuardRefusal
from edge.relay.health import health_of
from edge.relay.inbox import Inbox
from edge.relay.link import ACCEPTED, QUESTION, Listener, Reply, Status, inherited_socket
from edge.relay.options import RelayOptions
from edge.relay.outbox import OutboxDamaged
from edge.relay.presence import Presence
from edge.relay.troubles import Troubles
from edge.relay.watch import Watch
from wire.broker import Broker
from wire.errors import WireError
from wire.events import NOT_SENT, Connected, Disconnected, Event, Message, Published, Refused, Subscribed, Will
from wire.schema import CaptureReport, Health
from wire.service.attendance import Attendance
from wire.settings import SettingsError
from wire.topics import CONTENT_TYPE, QOS, RETAIN, Kind, Topics

log = logging.getLogger("speckled.relay")

PULSE = 0.25
"""Seconds between two looks at the clock and at whether to stop."""
BIRTH_SECONDS = 30.0
"""How long the broker may take to answer the birth message before the connection is begun anew."""


class Relay:
    """Listener, guard, outbox and broker in one loop, in one thread.

    Raises:
        ConfigError: a password or TLS file cannot be used, or device or root cannot be a topic.
        RelayError: RELAY, OUTBOX: the socket or the outbox cannot be used.
    """

    def __init__(
        self,
        options: RelayOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._clock = clock
        self._session = secrets.token_hex(8)
        self._presence = Presence(self._session, options.software)
        self._troubles = Troubles(clock)
        self._inbox = Inbox()
        try:
            self._topics = Topics(options.root, options.device)
            self._broker = self._make_broker(jitter)
        except (WireError, SettingsError) as error:
            raise ConfigError(Reason.CONFIG, error.detail, error.remedy) from None
        self._guard = Guard(self._topics, options.device_key, budget=options.budget, clock=clock)
        self._custody = Custody(options, self._topics, self._troubles, clock=clock, jitter=jitter)
        self._outbox, self._delivery = self._custody.outbox, self._custody.delivery
        inherited = inherited_socket(os.environ)
        self._listener = Listener(options.socket, users=options.users, inherited=inherited)
        self._listener.watch(self._inbox.descriptor)
        self._watch = self._make_watch()
        if self._watch.descriptor is not None:
            self._listener.watch(self._watch.descriptor)
        self._connected_once = False
        self._birth: int | None = None
        self._birth_due = 0.0
        self._receive_maximum = 0
        self._next_health = 0.0

    def run(self, stop: threading.Event, attendance: Attendance) -> None:
        """Take, keep and deliver until `stop` is set. What is not acknowledged by then stays in the outbox.

        `attendance` hears of each turn of the loop.

        Raises:
            BrokerRefused: the broker turned this device away before it had ever let it in.
            RelayError: OUTBOX, where the outbox has become unusable.
        """
        log.info("relay of %s: %d observations wait in the outbox", self._options.device, self._delivery.waiting)
        self._mending(self._custody.look_for_strangers)
        self._broker.start()
        try:
            while not stop.is_set():
                self._listener.serve(PULSE, self._take)
                self._miss_capture()
                for event in self._inbox.drain():
                    self._note(event)
                self._miss_birth()
                self._mending(self._keep)
                self._mending(lambda: attendance.turn(self._status))
                if not self._broker.alive():
                    raise RelayError(Reason.BROKER_UNREACHABLE, "the network thread has died", "restart; report this")
        finally:
            self._end()

    def _status(self) -> str:
        counts = self._outbox.counters()
        where = "connected" if self._delivery.open else "no broker"
        done = f"{counts['acknowledged']} of {counts['accepted']} acknowledged"
        evicted = sum(count for name, count in counts.items() if name.startswith("evicted:"))
        return f"{where}; {self._delivery.waiting} wait, {done}, {evicted} evicted"

    def _mending(self, step: Callable[[], None]) -> None:
        """Do something with the outbox; a file that is found damaged is replaced."""
        try:
            step()
        except OutboxDamaged as error:
            self._custody.mend(error)

    def _take(self, envelope: bytes | None) -> Reply:
        """One datagram from capture."""
        try:
            return self._judge(envelope)
        except OutboxDamaged as error:
            self._custody.mend(error)
            return Reply(Status.LATER, error.reason)

    def _judge(self, envelope: bytes | None) -> Reply:
        if envelope is not None and len(envelope) == QUESTION:
            return self._custody.answer(envelope)
        try:
            admitted = self._guard.admit(envelope)
        except GuardRefusal as refusal:
            self._outbox.count(f"refused:{refusal.code}")
            self._troubles.say(f"guard {refusal.code}", f"the guard refuses what capture sends: {refusal.code}")
            return Reply(Status.LATER if refusal.later else Status.REFUSED, refusal.code)
        if isinstance(admitted, CaptureReport):
            return self._hear_capture(admitted, envelope or b"")
        reply, new = self._custody.put(admitted.receipt, envelope or b"")
        if new:
            self._watch.accepted()
            if admitted.level in self._options.watch.windows:
                self._outbox.count(f"released:{admitted.level}")
        return reply

    def _hear_capture(self, report: CaptureReport, envelope: bytes) -> Reply:
        """Capture's word about itself: into the state message as it is, at once where it is news."""
        if self._presence.heard(report, envelope):
            self._tell_state()
        self._custody.reported(report)
        return ACCEPTED

    def _miss_capture(self) -> None:
        """A word that nobody stands behind any more is not repeated."""
        if not self._listener.connected and self._presence.gone():
            self._tell_state()

    def _tell_state(self) -> None:
        if self._delivery.open:
            self._publish("state", self._presence.online)

    def _note(self, event: Event) -> None:
        self._watch.note(event)
        match event:
            case Connected():
                log.info("connected to the broker at %s:%d", self._options.broker.host, self._options.broker.port)
                self._connected_once = True
                self._troubles.over("broker")
                self._receive_maximum = event.receive_maximum
                self._birth = self._publish("state", self._presence.online)
                self._birth_due = self._clock() + BIRTH_SECONDS
            case Published(mid=self._birth):
                self._born(event)
            case Published():
                self._delivery.published(event)
            case Message():
                self._mending(lambda: self._custody.hear(event.payload))
            case Subscribed(accepted=False):
                self._troubles.say(
                    "ack", f"the broker refuses {self._topics.ack}: {event.reason}. Let this device read its topics"
                )
            case Disconnected():
                self._delivery.disconnected()
                self._birth = None
                self._troubles.say("broker", f"no broker: {event.reason}. Observations wait in the outbox")
            case Refused():
                self._turned_away(event)
            case _:
                pass

    def _born(self, answer: Published) -> None:
        """Observations follow the birth, so that it never shares the broker's window with them."""
        self._birth = None
        if answer.code == NOT_SENT:
            return
        if not answer.accepted:
            reason = f"{answer.reason}. Let this device write to its topics"
            self._troubles.say("birth", f"the broker refuses {self._topics.state}: {reason}")
        self._delivery.connected(self._receive_maximum)

    def _miss_birth(self) -> None:
        """A broker that takes the connection and answers nothing would otherwise hold everything up in silence."""
        if self._birth is None or self._clock() < self._birth_due:
            return
        self._birth = None
        self._troubles.say(
            "birth",
            f"the broker has not answered within {BIRTH_SECONDS:.0f} s; the connection is begun anew. "
            "See the broker's log; observations wait in the outbox",
        )
        self._broker.reconnect()

    def _turned_away(self, event: Refused) -> None:
        remedy = "see the broker's log; observations wait in the outbox"
        if event.credentials:
            remedy = (
                "correct username and password_file, or certificate_file and key_file, in [mqtt], "
                "or the broker's access list"
            )
            if not self._connected_once:
                raise BrokerRefused(Reason.BROKER_REFUSED, event.reason, remedy)
        self._troubles.say("broker", f"the broker refuses this device: {event.reason}. To mend it, {remedy}")

    def _keep(self) -> None:
        """What is to be done with the outbox at every look at the clock."""
        self._custody.tick()
        self._send()
        self._report()
        self._watch.serve(self.health, self._presence.word, self._outbox.fill)

    def _send(self) -> None:
        for row, envelope in self._delivery.outgoing():
            self._delivery.sent(row, self._publish("observation", envelope))

    def _report(self) -> None:
        now = self._clock()
        if now < self._next_health:
            return
        self._next_health = now + self._options.health_seconds
        if self._delivery.open or self._birth is not None:
            self._publish("health", msgspec.json.encode(self.health()))

    def health(self) -> Health:
        """What became of every observation, and the counters since the outbox was made."""
        health = health_of(self._outbox, session=self._session, capture=self._listener.connected)
        counters, watch = self._outbox.counters(), self._options.watch
        released = {level: counters[f"released:{level}"] for level in watch.windows}
        return msgspec.structs.replace(health, released=released, epsilon=watch.epsilon)

    def _publish(self, kind: Kind, payload: bytes) -> int:
        return self._broker.publish(
            self._topics.of(kind),
            payload,
            qos=QOS[kind],
            retain=RETAIN[kind],
            expiry=self._options.message_expiry if kind == "observation" else None,
            content_type=CONTENT_TYPE[kind],
        )

    def _make_broker(self, jitter: Callable[[], float]) -> Broker:
        """With a clean session each time: acknowledgements are retained, so nothing else needs to be kept for us."""
        return Broker(
            msgspec.structs.replace(self._options.broker, session_expiry=0),
            client_id=f"speckled-{self._options.device}",
            events=self._inbox,
            subscriptions=(self._topics.ack,),
            will=Will(self._topics.state, self._presence.offline),
            jitter=jitter,
        )

    def _make_watch(self) -> Watch:
        return Watch(
            self._options.watch,
            topics=self._topics,
            software=self._options.software,
            clock=self._clock,
            publish=lambda topic, payload: self._broker.publish(topic, payload, qos=1, retain=True),
        )

    def _end(self) -> None:
        if self._delivery.open:
            # A full window would hold a farewell of QoS 1 back until after the goodbye.
            self._broker.publish(self._topics.state, self._presence.offline, qos=0, retain=RETAIN["state"])
        self._broker.stop()
        self._watch.close()
        self._listener.close()
        self._inbox.close()
        self._outbox.close()
        log.info(
            "relay of %s: stopped; %d observations wait in the outbox", self._options.device, self._delivery.waiting
        )
