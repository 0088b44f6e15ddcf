"""Does the broker let this device in, take what it publishes, and nothing that is not its own?"""

from edge.doctor.device import Device
from edge.doctor.finding import Outcome, fail, ok, skip, warn
from wire.events import NO_SUBSCRIBERS
from wire.schema import MAX_MESSAGE

NOT_AUTHORIZED = 0x87
"""MQTT 5, table 3-4."""
OVERHEAD = 1024
"""Bytes of a PUBLISH beside its payload: topic and properties."""


def broker_address(device: Device) -> Outcome:
    """Name, route and port."""
    step = device.visit.address
    if step.failed:
        return fail(step.failed, "correct host and port in [mqtt], and see that the broker runs and its port is open")
    return ok(step.found)


def broker_tls(device: Device) -> Outcome:
    """One handshake, whose errors an MQTT client would repeat for ever without a word."""
    step = device.visit.tls
    if step.failed:
        return fail(
            step.failed, "name the authority of the broker's certificate as ca_file, and the host as it stands there"
        )
    if step.found:
        return ok(step.found)
    if device.visit.address.failed:
        return skip("the broker was not reached")
    local = device.known.mqtt.host in {"127.0.0.1", "::1", "localhost"}
    remedy = "set ca_file in [mqtt], and the port of TLS, usually 8883"
    return ok("none, on this machine only") if local else warn("none: others on the way can read and change", remedy)


def broker_login(device: Device) -> Outcome:
    """CONNACK, as the settings' user or certificate."""
    step = device.visit.login
    if step.failed:
        return fail(
            step.failed,
            'correct user, password_file or certificate in [mqtt]; a broker without MQTT 5: protocol = "3.1.1"',
        )
    return ok(step.found) if step.found else skip("the broker was not reached")


def broker_limits(device: Device) -> Outcome:
    """What CONNACK says that the broker does not do (MQTT 5, section 3.2.2.3)."""
    if not device.visit.login.found:
        return skip("nobody logged in")
    limits = device.visit.limits
    if limits.get("MaximumQoS", 2) < 1:
        return fail("it takes no QoS 1, so nothing is known to arrive", "allow QoS 1 on the broker")
    if limits.get("RetainAvailable", 1) == 0:
        return fail(
            "it retains nothing, so nobody sees the state of an absent device", "allow retained messages on the broker"
        )
    largest = limits.get("MaximumPacketSize")
    if largest is not None and largest < MAX_MESSAGE + OVERHEAD:
        return fail(f"it takes packets of {largest} bytes only", f"allow {MAX_MESSAGE + OVERHEAD} on the broker")
    return ok(", ".join(f"{name} {value}" for name, value in sorted(limits.items())) or "none that it names")


def broker_rights(device: Device) -> Outcome:
    """An empty message, not retained, on this device's health topic; only MQTT 5 tells whether it was let through."""
    if (skipped := _unasked(device)) is not None:
        return skipped
    code, remedy = device.visit.own, "let this device write to its topics: docs/broker.md has the ACL"
    if code is None:
        return fail("no answer to a publish on the device's own topic", remedy)
    if code >= 0x80:
        return fail(f"it may not publish on its own topic (reason {code})", remedy)
    return ok("may publish on its own topic" + (", which nobody listens to now" if code == NO_SUBSCRIBERS else ""))


def broker_others(device: Device) -> Outcome:
    """The same on the topic of a device that does not exist: it should be denied, with reason 135."""
    if (skipped := _unasked(device)) is not None:
        return skipped
    code = device.visit.foreign
    if code == NOT_AUTHORIZED:
        return ok("denied on another device's topic (reason 135)")
    if code is not None and code >= 0x80:
        return ok(f"refused on another device's topic (reason {code})")
    answer = "no answer to" if code is None else "the broker allows"
    return warn(
        f"{answer} a publish on another device's topic: any device could speak as any other, though it cannot sign",
        "give the broker the ACL of docs/broker.md",
    )


def _unasked(device: Device) -> Outcome | None:
    if not device.visit.login.found:
        return skip("nobody logged in")
    if not device.known.identified:
        return skip("the settings do not name this device")
    return skip("MQTT 3.1.1 has no way to say no") if device.known.mqtt.protocol != "5" else None
