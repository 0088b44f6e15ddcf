"""TLS with a scripted peer, where every way to fail can be had, and with a real mosquitto and its access list."""

import shutil
import socket
import time

import pytest
from rig.authority import Authority
from rig.client import client, ready
from rig.packets import Publish
from rig.peer import Answer, Goodbye, Peer, Script, in_turn
from rig.proxy import Proxy

from wire.events import Connected, Disconnected, Message, Published, Refused, Subscribed
from wire.options import BrokerOptions, warnings
from wire.settings import SettingsError
from wire.topics import Topics

NAMES = ["localhost", "127.0.0.1"]
WARD, OTHER = Topics("speckled", "ward-3"), Topics("speckled", "ward-4")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def server(authority):
    return authority.issue("broker", names=NAMES, server=True)


def trusting(authority, issued=None):
    """Options of a client that knows this authority and shows this certificate."""
    shown = {"certificate_file": issued.certificate, "key_file": issued.key} if issued else {}
    return {"ca_file": authority.certificate, **shown}


@pytest.mark.parametrize("version", ["1.3", "1.2"])
def test_both_sides_show_their_certificates_and_messages_pass(authority, server, version):
    context = authority.server_context(server, version=version)
    how = trusting(authority, authority.issue("ward-3")) | {"tls_minimum": version}
    with Peer(tls=context) as peer, ready(peer.port, subscriptions=("b",), **how) as one:
        one.broker.publish("a", bytes(50_000))
        one.wait(Published)
        assert len(peer.all(Publish)[0].payload) == 50_000
        for number in range(3):  # what is decrypted already must not wait for more from the network
            peer.send(Publish("b", b"%d" % number) if number else Publish("b", bytes(20_000)))
        assert [len(one.wait(Message).payload) for _ in range(3)] == [20_000, 1, 1]


def test_several_messages_in_one_record_are_all_taken_at_once(authority, server):
    context = authority.server_context(server, clients=False)
    with Peer(tls=context) as peer, ready(peer.port, subscriptions=("b",), **trusting(authority)) as one:
        peer.send(b"".join(b"\x30\x05\x00\x01b\x00%d" % n for n in range(9)))
        assert [one.wait(Message, 0.9).payload for _ in range(9)] == [b"%d" % n for n in range(9)]


def test_tls_1_2_is_spoken_only_where_it_is_allowed(authority, server):
    with Peer(tls=authority.server_context(server, version="1.2", clients=False)) as peer:
        with client(peer.port, **trusting(authority)) as one:
            reason = one.wait(Disconnected).reason
        assert "does not speak this version of TLS; let it speak TLS 1.3, or set tls_minimum" in reason
        with ready(peer.port, **trusting(authority), tls_minimum="1.2"):
            pass


CLOCK = "or the clock of this machine is wrong"
STRANGE = "the broker's certificate is not of an authority that is trusted here"
SAID = {
    "expired": f"the broker's certificate has expired; renew it on the broker, {CLOCK}",
    "to come": f"the broker's certificate is not valid yet, {CLOCK}; wait for the time service, or set the clock",
    "of another authority": f"{STRANGE}; correct ca_file",
    "of nobody we know": f"{STRANGE}; name the certificate of its authority as ca_file",
    "for another address": "the broker's certificate is not for 127.0.0.1; set host to a name that stands in it",
    "for another name": "the broker's certificate is not for localhost; set host to a name that stands in it",
    "for a client": "the broker's certificate is refused: unsuitable certificate purpose; "
    "correct it on the broker, or ca_file",
    "ours missing": "the broker asks for a client certificate; name certificate_file and key_file",
    "ours expired": f"the broker says that our certificate has expired; renew certificate_file, {CLOCK}",
    "ours of another authority": "the broker does not know the authority of our certificate; certificate_file must be "
    "signed by the authority that the broker trusts for clients",
}
"""What is said of a certificate: of the broker's, or of ours."""


def arrange(kind, tmp_path):
    """The authority, what the server shows, and the client's options."""
    mine, theirs = Authority(tmp_path, "mine"), Authority(tmp_path, "theirs")
    names, days, is_server = NAMES, (-1, 365), True
    how = trusting(mine, mine.issue("ward-3"))
    match kind:
        case "expired":
            days = (-9, -1)
        case "to come":
            days = (1, 9)
        case "of another authority":
            how["ca_file"] = theirs.certificate
        case "of nobody we know":
            how = {"tls": True}
        case "for another address":
            names = ["10.0.0.1", "localhost"]
        case "for another name":
            names, how["host"] = ["broker.example", "127.0.0.1"], "localhost"
        case "for a client":
            is_server = False
        case "ours missing":
            how = trusting(mine)
        case "ours expired":
            how = trusting(mine, mine.issue("ward-3", file="gone", days=(-9, -1)))
        case "ours of another authority":
            how = trusting(mine, theirs.issue("ward-3", file="foreign"))
    return mine, mine.issue("broker", names=names, server=is_server, days=days), how


@pytest.mark.parametrize("kind", SAID)
def test_each_certificate_that_is_not_right_is_told_in_one_line_with_a_remedy(tmp_path, kind):
    authority, shown, how = arrange(kind, tmp_path)
    with Peer(tls=authority.server_context(shown)) as peer, client(peer.port, **how) as one:
        assert one.wait(Disconnected).reason == SAID[kind]
        assert one.wait(Disconnected).reason == SAID[kind]
        assert one.broker.alive()
        assert not any(isinstance(event, Connected) for event in one.past)


def test_tls_with_a_port_that_does_not_speak_it_is_told(authority):
    with Peer(Script(connect=Goodbye(0x81))) as peer, client(peer.port, **trusting(authority)) as one:
        told = one.wait(Disconnected).reason
    assert told in {
        "the connection was closed during the TLS handshake; see the broker's log",
        "Connection reset by peer",
    }
    with greeting(b"SSH-2.0-OpenSSH_9.2\r\n") as port, client(port, **trusting(authority)) as one:
        assert "does not speak TLS; correct the port" in one.wait(Disconnected).reason


def greeting(data):
    """A server of another protocol, which speaks first."""
    from contextlib import contextmanager
    from threading import Thread

    @contextmanager
    def serve():
        server = socket.create_server(("127.0.0.1", 0))

        def talk():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(data)
                    connection.settimeout(1)
                    connection.recv(1000)

        thread = Thread(target=talk)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()

    return serve()


def test_a_port_of_tls_without_tls_is_told(authority, server):
    with Peer(tls=authority.server_context(server)) as peer, client(peer.port) as one:
        assert "or TLS only: see `ca_file`" in one.wait(Disconnected).reason


def test_a_handshake_that_is_not_answered_ends(authority, server, monkeypatch):
    monkeypatch.setattr("wire.broker.CONNECT_SECONDS", 0.5)
    with Peer(tls=authority.server_context(server)) as peer, Proxy(peer.port) as proxy:
        proxy.blackhole()
        with client(proxy.port, **trusting(authority)) as one:
            assert "timed out" in one.wait(Disconnected).reason
            proxy.through()


def test_a_certificate_that_is_renewed_on_the_disk_is_shown_at_the_next_connection(authority, server, tmp_path):
    old = authority.issue("ward-3", file="shown", days=(-9, -1))
    with Peer(tls=authority.server_context(server)) as peer, client(peer.port, **trusting(authority, old)) as one:
        assert "expired" in one.wait(Disconnected).reason
        new = authority.issue("ward-3", file="new")
        shutil.copy(new.key, old.key)
        assert "TLS files" in next_of_another_kind(one, "expired")
        shutil.copy(new.certificate, old.certificate)
        one.wait(Connected)


def next_of_another_kind(one, word):
    while word in (reason := one.wait(Disconnected).reason):
        pass
    return reason


def test_a_bit_that_is_flipped_on_the_way_ends_the_connection_and_changes_nothing(authority, server):
    context = authority.server_context(server)
    how = trusting(authority, authority.issue("ward-3"))
    with Peer(tls=context) as peer, Proxy(peer.port) as proxy, ready(proxy.port, **how) as one:
        proxy.corrupt()
        one.broker.publish("a", b"flipped")
        assert one.wait(Disconnected).reason
        proxy.through()
        proxy.cut()
        one.wait(Connected)
        one.broker.publish("a", b"whole")
        one.wait(Published)
    assert [message.payload for message in peer.all(Publish)] == [b"whole"]


def test_a_session_that_was_taken_over_is_told_inside_tls_too(authority, server):
    script = Script(publish=in_turn(Goodbye(0x8E), Answer()))
    context = authority.server_context(server, clients=False)
    with Peer(script, tls=context) as peer, ready(peer.port, **trusting(authority)) as one:
        one.broker.publish("a", b"")
        assert "give each its own" in one.wait(Disconnected).reason


@pytest.mark.parametrize(
    ("how", "warned"),
    [
        ({"host": "10.0.0.2", "password_file": "x"}, "the password and what is sent to 10.0.0.2"),
        ({"host": "broker.example"}, "what is sent to broker.example"),
        ({"host": "10.0.0.2", "password_file": "x", "tls": True}, None),
        ({"host": "10.0.0.2", "ca_file": "x"}, None),
        ({"host": "127.0.0.1", "password_file": "x"}, None),
        ({"host": "127.8.0.1"}, None),
        ({"host": "::1"}, None),
        ({"host": "localhost", "password_file": "x"}, None),
    ],
)
def test_what_others_could_read_on_the_way_is_warned_of(how, warned):
    lines = warnings(BrokerOptions(**how))
    assert len(lines) == (warned is not None)
    assert all(line.startswith(warned) for line in lines)


def test_the_warning_is_said_once_when_the_client_is_made(tmp_path, caplog):
    (tmp_path / "word").write_text("secret-word\n")
    with client(1, host="192.0.2.1", username="me", password_file=str(tmp_path / "word")):
        pass
    assert caplog.text.count("can be read and changed on the way") == 1
    assert "secret-word" not in caplog.text


def test_files_of_tls_that_cannot_be_used_are_told_before_anything_starts(authority, tmp_path):
    issued, other = authority.issue("ward-3"), authority.issue("ward-4")
    for wrong in (
        {"certificate_file": issued.certificate, "key_file": other.key},
        {"certificate_file": issued.certificate},
        {"certificate_file": issued.key, "key_file": issued.key},
    ):
        with pytest.raises(SettingsError) as caught, client(1, **wrong):
            pass
        assert "PEM files" in caught.value.remedy


@pytest.fixture
def guarded(start_mosquitto, authority, server, tmp_path):
    """mosquitto with TLS 1.3, a certificate for every client, whose name is the user, and an access list.

    mosquitto 2.0.11 knows no `tls_version tlsv1.3 only`, but takes tlsv1.3 as the lowest.
    """
    (tmp_path / "acl").write_text(
        "pattern write speckled/v1/+/%u/#\npattern read speckled/v1/+/%u/ack\n"
        "user collector\ntopic read speckled/v1/+/+/observation\ntopic write speckled/v1/+/+/ack\n"
    )
    lines = [
        f"cafile {authority.certificate}",
        f"certfile {server.certificate}",
        f"keyfile {server.key}",
        "tls_version tlsv1.3",
        "require_certificate true",
        "use_identity_as_username true",
        f"acl_file {tmp_path / 'acl'}",
    ]
    return start_mosquitto(extra="\n".join(lines))


@pytest.mark.broker
def test_a_real_broker_takes_what_the_certificate_allows_and_denies_the_rest(guarded, authority):
    device, collector = authority.issue("ward-3"), authority.issue("collector")
    listens = {"client_id": "collector", "subscriptions": ("speckled/v1/+/+/observation",)}
    with (
        ready(guarded.port, **listens, **trusting(authority, collector)) as central,
        ready(guarded.port, subscriptions=(WARD.ack,), **trusting(authority, device)) as one,
    ):
        one.broker.publish(WARD.observation, bytes(60_000))
        assert one.wait(Published).code == 0
        assert central.wait(Message).topic == WARD.observation
        one.broker.publish(OTHER.observation, b"forged")
        answer = one.wait(Published)
        assert (answer.accepted, answer.code, answer.reason) == (False, 135, "Not authorized")
        central.broker.publish(WARD.ack, b"word", retain=True)
        assert one.wait(Message).payload == b"word"
        mid = central.broker.publish(WARD.observation, b"forged")
        while (answer := central.wait(Published)).mid != mid:
            pass
        assert answer.code == 135


@pytest.mark.broker
def test_a_device_cannot_listen_to_another(guarded, authority):
    how = trusting(authority, authority.issue("ward-4"))
    with client(guarded.port, subscriptions=("speckled/#",), **how) as one:
        one.wait(Connected)
        told = one.wait(Subscribed)
        # mosquitto grants what no rule denies as a whole, and then keeps back each message that the list does not let
        with ready(guarded.port, client_id="ward-3", **trusting(authority, authority.issue("ward-3"))) as ward:
            ward.broker.publish(WARD.observation, b"private to the collector")
            ward.wait(Published)
        one.broker.publish(OTHER.health, b"x", qos=0)
        one.wait(Published)
        settle_until(lambda: True)
        assert not told.accepted or not any(isinstance(event, Message) for event in one.past)
        assert one.events.empty()


def settle_until(done):
    time.sleep(0.2)
    assert done()


@pytest.mark.broker
@pytest.mark.parametrize("kind", ["ours missing", "ours expired", "ours of another"])
def test_a_real_broker_refuses_a_wrong_certificate_and_that_is_told(guarded, authority, tmp_path, kind):
    how = {
        "ours missing": trusting(authority),
        "ours expired": trusting(authority, authority.issue("ward-3", file="gone", days=(-9, -1))),
        "ours of another": trusting(authority, Authority(tmp_path, "theirs").issue("ward-3", file="foreign")),
    }[kind]
    word = {
        "ours missing": "asks for a client certificate",
        "ours expired": "our certificate has expired",
        "ours of another": "does not know the authority of our certificate",
    }[kind]
    with client(guarded.port, **how) as one:
        for _ in range(5):
            assert word in one.wait(Disconnected).reason


@pytest.mark.broker
def test_a_real_broker_of_another_authority_is_refused(guarded, authority, tmp_path):
    other = Authority(tmp_path, "theirs")
    with client(guarded.port, **trusting(other, authority.issue("ward-3"))) as one:
        assert "not of an authority that is trusted here; correct ca_file" in one.wait(Disconnected).reason


@pytest.mark.broker
def test_a_password_without_a_certificate_is_no_way_in(guarded, authority, tmp_path):
    (tmp_path / "word").write_text("secret\n")
    how = {"username": "ward-3", "password_file": str(tmp_path / "word")}
    with client(guarded.port, **trusting(authority), **how) as one:
        assert "asks for a client certificate" in one.wait(Disconnected).reason
    # with a certificate the name in it counts, whatever user is claimed
    how["username"] = "ward-4"
    with ready(guarded.port, **trusting(authority, authority.issue("ward-3")), **how) as one:
        one.broker.publish(OTHER.observation, b"")
        assert one.wait(Published).code == 135


@pytest.mark.broker
def test_a_wrong_password_over_tls_is_refused_in_its_words(start_mosquitto, authority, server, tmp_path):
    lines = f"cafile {authority.certificate}\ncertfile {server.certificate}\nkeyfile {server.key}\ntls_version tlsv1.3"
    broker = start_mosquitto(passwords={"ward-3": "right"}, extra=lines)
    (tmp_path / "word").write_text("wrong\n")
    how = {"username": "ward-3", "password_file": str(tmp_path / "word")}
    with client(broker.port, **trusting(authority), **how) as one:
        assert one.wait(Refused).credentials
        (tmp_path / "word").write_text("right\n")
        one.wait(Connected)


@pytest.mark.broker
def test_a_broker_that_comes_back_behind_a_dead_link_is_found_and_the_message_arrives(guarded, authority):
    device, collector = authority.issue("ward-3"), authority.issue("collector")
    listens = {"client_id": "collector", "subscriptions": ("speckled/v1/+/+/observation",)}
    with (
        Proxy(guarded.port) as proxy,
        ready(guarded.port, **listens, **trusting(authority, collector)) as central,
        ready(proxy.port, keepalive=1, **trusting(authority, device)) as one,
    ):
        proxy.blackhole()
        assert "has said nothing for 1.5 s" in one.wait(Disconnected).reason
        proxy.through()
        one.wait(Connected)
        one.broker.publish(WARD.observation, b"after all")
        assert central.wait(Message).payload == b"after all"
