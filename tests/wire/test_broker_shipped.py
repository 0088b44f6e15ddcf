"""The configuration that is shipped, in a real mosquitto: only its paths and its port are other ones here."""

import re
import shutil
import signal
import subprocess

import pytest
from conftest import PROGRAMS
from rig.client import client, ready
from rig.peer import settle
from rig.site import SHIPPED, Site

from wire.events import Connected, Disconnected, Message, Published, Refused
from wire.topics import Topics

WARD, OTHER = Topics("speckled", "ward-3"), Topics("speckled", "ward-4")
COLLECTOR = ("speckled/v1/+/+/observation", "speckled/v1/+/+/state")


@pytest.fixture(params=["2.0", "2.1"])
def site(request, tmp_path):
    site = Site(tmp_path, request.param)
    site.start()
    yield site
    site.kill()


def code_of(one, topic, payload=b"x", **how):
    """The broker's answer to one publish."""
    mid = one.broker.publish(topic, payload, **how)
    while (answer := one.wait(Published)).mid != mid:
        pass
    return answer.code


def heard(one):
    """Topics of what has come so far."""
    settle()
    while not one.events.empty():
        one.past.append(one.events.get())
    return {event.topic for event in one.past if isinstance(event, Message)}


@pytest.mark.broker
def test_a_device_writes_its_own_topics_and_reads_its_own_acknowledgements_and_nothing_else(site):
    collector = {"subscriptions": COLLECTOR, **site.shows("collector")}
    everything = {"subscriptions": ("#", "$SYS/#"), "session_expiry": 0}
    with (
        ready(site.port, **collector) as central,
        client(site.port, **everything, **site.shows("ward-3")) as one,
        client(site.port, **everything, **site.shows("ward-4")) as other,
    ):
        one.wait(Connected)
        other.wait(Connected)
        for topic in (WARD.observation, WARD.state, WARD.health):
            assert code_of(one, topic) in {0, 0x10}
        denied = [WARD.ack, OTHER.observation, OTHER.state, OTHER.health, OTHER.ack, "elsewhere", "speckled/v1/x"]
        denied += ["homeassistant/device/ward-3/config", "speckled/v1/00/ward-3/anything", "$SYS/broker/version"]
        assert {topic: code_of(one, topic) for topic in denied} == dict.fromkeys(denied, 135)
        assert code_of(central, WARD.ack, retain=True) in {0, 0x10}
        assert one.wait(Message).topic == WARD.ack
        assert heard(one) == {WARD.ack}
        assert heard(other) == set()


@pytest.mark.broker
def test_the_collector_reads_observations_and_states_and_writes_acknowledgements_only(site):
    subscriptions = ("#", *COLLECTOR)
    with (
        client(site.port, subscriptions=subscriptions, **site.shows("collector")) as central,
        ready(site.port, **site.shows("ward-3")) as one,
    ):
        central.wait(Connected)
        for topic in (WARD.observation, WARD.state, WARD.health):
            code_of(one, topic)
        assert heard(central) == {WARD.observation, WARD.state}
        denied = [WARD.observation, WARD.state, WARD.health, "elsewhere"]
        assert {topic: code_of(central, topic) for topic in denied} == dict.fromkeys(denied, 135)
        assert code_of(central, OTHER.ack) in {0, 0x10}


@pytest.mark.broker
def test_nobody_gets_in_without_a_certificate_or_reads_without_rights(site):
    with client(site.port, ca_file=site.authority.certificate) as one:
        assert "asks for a client certificate" in one.wait(Disconnected).reason
    strangers = {"subscriptions": ("#",), **site.shows("somebody")}
    with client(site.port, **strangers) as stranger, ready(site.port, **site.shows("ward-3")) as one:
        stranger.wait(Connected)
        code_of(one, WARD.observation)
        assert heard(stranger) == set()
        assert code_of(stranger, WARD.observation) == 135


@pytest.mark.broker
def test_the_longest_observation_passes_and_a_longer_packet_does_not(site):
    collector = {"subscriptions": COLLECTOR, **site.shows("collector")}
    with ready(site.port, **collector) as central, ready(site.port, **site.shows("ward-3")) as one:
        assert code_of(one, WARD.observation, bytes(65536), expiry=60, content_type="application/cose") == 0
        assert len(central.wait(Message).payload) == 65536
        assert code_of(one, WARD.observation, bytes(131072)) == 0x95
        assert code_of(one, WARD.observation, b"and on") == 0


@pytest.mark.broker
def test_what_came_while_the_collector_was_away_outlives_a_restart_of_the_broker(site):
    collector = {"subscriptions": COLLECTOR, **site.shows("collector")}
    with ready(site.port, **collector):
        pass
    with ready(site.port, **site.shows("ward-3")) as one:
        codes = [code_of(one, WARD.observation, b"%d" % number) for number in range(1200)]
    assert set(codes) == {0}  # more than the 1000 that wait by default
    site.process.terminate()
    site.process.wait(20)
    site.start()
    with client(site.port, **collector) as central:
        came = [central.wait(Message).payload for _ in range(1200)]
    assert came == [b"%d" % number for number in range(1200)]


@pytest.mark.broker
def test_the_lines_for_passwords_and_for_home_assistant_do_what_their_comments_say(site):
    site.process.terminate()
    site.process.wait(20)
    (site.folder / "passwords").write_text("ward-3:right\n")
    (site.folder / "passwords").chmod(0o600)
    passwd = shutil.which("mosquitto_passwd", path=PROGRAMS)
    subprocess.run([passwd, "-U", str(site.folder / "passwords")], check=True, capture_output=True)
    text = site.configuration.read_text()
    for line in ("require_certificate true\n", "use_identity_as_username true\n"):
        assert line in text
        text = text.replace(line, "")
    text = re.sub(r"# (password_file|plugin .*password_file\.so|plugin_opt_password_file)", r"\1", text)
    site.configuration.write_text(text)
    access = (site.folder / "speckled.acl").read_text()
    (site.folder / "speckled.acl").write_text(
        access.replace("# pattern write homeassistant", "pattern write homeassistant")
    )
    site.start()
    (site.folder / "word").write_text("right\n")
    shows = {
        "ca_file": site.authority.certificate,
        "username": "ward-3",
        "password_file": str(site.folder / "word"),
    }
    with ready(site.port, **shows) as one:
        assert code_of(one, WARD.observation) in {0, 0x10}
        assert code_of(one, OTHER.observation) == 135
        assert code_of(one, "homeassistant/device/ward-3/config", retain=True) in {0, 0x10}
        assert code_of(one, "homeassistant/device/ward-4/config", retain=True) == 135
    (site.folder / "word").write_text("wrong\n")
    with client(site.port, **shows) as one:
        assert one.wait(Refused).credentials
    with client(site.port, ca_file=site.authority.certificate) as one:
        assert one.wait(Refused).credentials


@pytest.mark.broker
def test_a_stolen_device_is_shut_out_and_the_others_are_not(site):
    site.process.terminate()
    site.process.wait(20)
    revoked = site.folder / "crl.pem"
    site.authority.withdraw([], revoked)
    listed = site.configuration.read_text().replace("# crlfile", "crlfile")
    site.configuration.write_text(listed)
    site.start()
    stolen, kept = site.authority.issue("ward-3", file="stolen"), site.shows("ward-4")
    shows = {
        "ca_file": site.authority.certificate,
        "certificate_file": stolen.certificate,
        "key_file": stolen.key,
    }
    with ready(site.port, **shows) as one:
        site.authority.withdraw([stolen], revoked)
        site.process.send_signal(signal.SIGHUP)
        settle()
        assert code_of(one, WARD.observation) in {0, 0x10}  # an open connection stays
        one.broker.reconnect()
        one.wait(Disconnected)
        assert "our certificate is revoked" in one.wait(Disconnected).reason
    with ready(site.port, **kept):
        pass
    site.authority.withdraw([stolen], revoked, days=(-9, -1))
    site.process.send_signal(signal.SIGHUP)
    settle()
    with client(site.port, **kept) as one:
        assert "certificate" in one.wait(Disconnected).reason  # a list past its date shuts everybody out


@pytest.mark.broker
def test_the_broker_has_nothing_to_say_against_its_configuration(site):
    complaints = re.findall(r"^.*(?:warning|error|deprecated|unknown).*$", site.log(), re.IGNORECASE | re.MULTILINE)
    others = ("should not be run as root", "Client connection from")  # the latter is who waited for the port to open
    assert [line for line in complaints if not any(other in line for other in others)] == []


@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_both_configurations_let_in_the_same_clients_and_keep_the_same_limits(version):
    lines = (SHIPPED / f"speckled-{version}.conf").read_text().splitlines()
    said = {line for line in lines if line and not line.startswith("#")}
    for line in (
        "tls_version tlsv1.3",
        "require_certificate true",
        "use_identity_as_username true",
        "max_packet_size 131072",
        "max_queued_messages 100000",
        "max_queued_bytes 268435456",
        "max_inflight_messages 128",
    ):
        assert line in said
    assert said & {"allow_anonymous false", "listener_allow_anonymous false"}
