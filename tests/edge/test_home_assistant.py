import json
import re

import jinja2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import make_report

from edge.home_assistant.discovery import discovery_payload, discovery_topic
from edge.home_assistant.entities import ENTITIES, entities
from edge.home_assistant.publisher import MARK, Announcement, Publisher
from edge.sections import HomeAssistantSettings
from wire.events import NOT_SENT, Published
from wire.schema import Health, State
from wire.topics import Topics

TOPICS = Topics("speckled", "ward-3")
LEVELS = ("day", "three-hours")
HEALTH = Health(
    session="a",
    made=6,
    dropped=0,
    spooled=0,
    accepted=6,
    sent=9,
    acknowledged=4,
    waiting=1,
    evicted={"size": 1, "age": 2},
    lost=0,
    set_aside=0,
    refused={"schema": 2},
    forked=0,
    capture=True,
    released={"day": 2},
    epsilon=0.5,
)


def report(state="observing", entropy="healthy"):
    return make_report("ward-3", Ed25519PrivateKey.generate(), state=state, entropy=entropy)[0]


def payload():
    return json.loads(discovery_payload(TOPICS, "speckled 1.2", LEVELS))


def shown(key, message):
    """What Home Assistant's template gives for a message, by the same template language."""
    value_json = json.loads(msgspec.json.encode(message))
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    return environment.from_string(payload()["cmps"][key]["value_template"]).render(value_json=value_json)


def test_the_device_is_announced_under_its_id():
    assert discovery_topic("homeassistant", "ward-3") == "homeassistant/device/ward-3/config"


def test_nothing_but_sensors_is_ever_announced():
    platforms = {component["p"] for component in payload()["cmps"].values()}
    assert platforms == {"sensor", "binary_sensor"}
    text = json.dumps(payload()).lower()
    for word in ("image", "camera_", "snapshot", "entity_picture", "command_topic", "observation/", "/observation"):
        assert word not in text.replace("camera_off", ""), word


def test_what_home_assistant_requires_is_there():
    message = payload()
    assert message["dev"]["ids"] == ["speckled-ward-3"]
    assert message["o"] == {"name": "speckled", "sw": "1.2"}
    for component in message["cmps"].values():
        assert {"p", "name", "unique_id", "state_topic", "value_template"} <= component.keys()
    unique = [component["unique_id"] for component in message["cmps"].values()]
    assert len(set(unique)) == len(unique) == len(ENTITIES) + len(LEVELS)
    assert all(re.fullmatch(r"[a-z0-9_-]+", each) for each in unique)


def test_values_are_read_from_the_health_and_state_topics_only():
    topics = {component["state_topic"] for component in payload()["cmps"].values()}
    assert topics == {TOPICS.health, TOPICS.state}


def test_the_device_is_available_as_its_state_says():
    message = payload()
    assert message["availability_topic"] == TOPICS.state
    template = jinja2.Template(message["availability_template"])
    for state in ("online", "offline"):
        said = json.loads(msgspec.json.encode(State(state=state, session="a", software="speckled 1.2")))
        assert template.render(value_json=said) == state


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("waiting", "1"),
        ("acknowledged", "4"),
        ("evicted", "3"),
        ("lost", "0"),
        ("epsilon", "0.5"),
        ("released_day", "2"),
        ("released_three_hours", "0"),
    ],
)
def test_a_figure_of_the_health_message_is_shown(key, value):
    assert shown(key, HEALTH) == value


def test_a_relay_that_has_passed_no_observation_on_knows_no_epsilon():
    assert shown("epsilon", msgspec.structs.replace(HEALTH, epsilon=None)) == "None"


@pytest.mark.parametrize(
    ("state", "entropy", "values"),
    [
        ("observing", "healthy", ("observing", "OFF", "healthy", "OFF")),
        ("switched-off", "healthy", ("switched-off", "ON", "healthy", "OFF")),
        ("observing", "suspect", ("observing", "OFF", "suspect", "ON")),
        ("ended", "failed", ("ended", "OFF", "failed", "ON")),
        ("starting", "starting", ("starting", "OFF", "starting", "OFF")),
    ],
)
def test_what_capture_says_is_shown(state, entropy, values):
    said = State(state="online", session="a", software="speckled 1.2", capture=report(state, entropy))
    assert tuple(shown(key, said) for key in ("capture", "camera_off", "entropy", "entropy_problem")) == values


@pytest.mark.parametrize("key", ["capture", "camera_off", "entropy", "entropy_problem"])
def test_a_capture_that_has_said_nothing_is_unknown(key):
    assert shown(key, State(state="online", session="a", software="speckled 1.2")) == "None"


def test_what_can_be_said_is_among_the_options_that_are_announced():
    components = payload()["cmps"]
    assert set(components["capture"]["options"]) == {"starting", "observing", "switched-off", "ended"}
    assert set(components["entropy"]["options"]) == {"starting", "healthy", "suspect", "failed"}


def test_every_entity_has_a_name_of_its_own():
    names = [entity.name for entity in entities(LEVELS)]
    assert len(set(names)) == len(names)


class Broker:
    def __init__(self):
        self.sent = []

    def __call__(self, topic, payload):
        self.sent.append((topic, payload))
        return len(self.sent)


def start(folder, broker, *, enabled, prefix="homeassistant"):
    announcement = Announcement(HomeAssistantSettings(enabled=enabled, prefix=prefix), folder, LEVELS)
    publisher = Publisher(announcement, TOPICS, "speckled 1.2", broker)
    publisher.connected()
    return publisher


def taken(mid):
    return Published(mid, accepted=True, reason="Success")


TOPIC = "homeassistant/device/ward-3/config"


def test_it_is_announced_in_each_connection_while_enabled(tmp_path):
    broker = Broker()
    publisher = start(tmp_path, broker, enabled=True)
    publisher.published(taken(1))
    publisher.connected()
    assert [topic for topic, _ in broker.sent] == [TOPIC, TOPIC]
    assert json.loads(broker.sent[0][1])["cmps"]


def test_nothing_is_sent_where_it_was_never_enabled(tmp_path):
    broker = Broker()
    start(tmp_path, broker, enabled=False)
    assert broker.sent == []
    assert not (tmp_path / MARK).exists()


def test_it_is_taken_back_once_when_it_is_no_longer_enabled(tmp_path):
    start(tmp_path, Broker(), enabled=True)
    broker = Broker()
    start(tmp_path, broker, enabled=False).published(taken(1))
    assert broker.sent == [(TOPIC, b"")]
    later = Broker()
    start(tmp_path, later, enabled=False)
    assert later.sent == []


@pytest.mark.parametrize(
    "answer",
    [
        Published(1, accepted=False, reason="Not authorized", code=0x87),
        Published(1, accepted=False, reason="", code=-1),
    ],
)
def test_what_could_not_be_taken_back_is_tried_again_in_the_next_connection(tmp_path, answer):
    assert NOT_SENT == -1
    start(tmp_path, Broker(), enabled=True)
    start(tmp_path, Broker(), enabled=False).published(answer)
    broker = Broker()
    start(tmp_path, broker, enabled=False)
    assert broker.sent == [(TOPIC, b"")]


def test_with_another_prefix_the_old_message_is_taken_back_first(tmp_path):
    start(tmp_path, Broker(), enabled=True)
    broker = Broker()
    publisher = start(tmp_path, broker, enabled=True, prefix="ha")
    assert broker.sent == [(TOPIC, b"")]
    publisher.published(taken(1))
    assert broker.sent[1][0] == "ha/device/ward-3/config"
    publisher.published(taken(2))
    assert len(broker.sent) == 2


def test_an_answer_to_another_message_means_nothing_here(tmp_path):
    start(tmp_path, Broker(), enabled=True)
    start(tmp_path, Broker(), enabled=False).published(taken(99))
    assert (tmp_path / MARK).exists()


def test_a_refusal_names_the_topic_to_allow(tmp_path, caplog):
    publisher = start(tmp_path, Broker(), enabled=True)
    publisher.published(Published(1, accepted=False, reason="Not authorized", code=0x87))
    assert TOPIC in caplog.text
    assert "Not authorized" in caplog.text


def test_a_state_directory_that_cannot_be_written_is_said_and_ends_nothing(tmp_path, caplog):
    broker = Broker()
    start(tmp_path / "missing", broker, enabled=True)
    assert broker.sent == []
    assert "nothing is announced" in caplog.text


@pytest.mark.parametrize("mark", ["", "no topic", "homeassistant/#", "a/config\0", "+/config"])
def test_a_mark_that_is_no_topic_is_not_sent_to(tmp_path, mark):
    (tmp_path / MARK).write_text(mark)
    broker = Broker()
    start(tmp_path, broker, enabled=False)
    assert broker.sent == []
