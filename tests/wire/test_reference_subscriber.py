import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import cbor2
import paho.mqtt.client as mqtt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wire.check import check
from wire.codec import decode, encode
from wire.cose import sign, verify
from wire.schema import Observation

DOCS = Path(__file__).resolve().parents[2] / "docs"
PATH = DOCS / "subscriber.py"
PUBLIC = {"hashlib", "pathlib", "sys", "cbor2", "numpy", "paho", "cryptography"}


@pytest.fixture(scope="module")
def subscriber():
    spec = importlib.util.spec_from_file_location("subscriber", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_fits_on_a_page_and_needs_public_libraries_only():
    text = PATH.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    assert names <= PUBLIC


def test_it_reads_what_the_wire_reads_and_refuses_a_change_anywhere(subscriber, signed, key, topic):
    observation, envelope = signed
    public = key.public_key()
    payload = subscriber.verify(envelope, public, topic)
    assert payload == verify(envelope, public, topic) == encode(observation)
    message = cbor2.loads(payload, tag_hook=subscriber.array)
    assert (message["features"]["keypoints"] == observation.features.keypoints).all()
    assert "2 keypoints, epsilon 1 for 1 x 600 s x 1024 px, noise rbg3-xor, SIMULATED" in subscriber.describe(message)
    for at in range(0, len(envelope), 7):
        with pytest.raises(Exception):  # noqa: B017 (the page lets any library say no)
            subscriber.verify(envelope[:at] + bytes([envelope[at] ^ 1]) + envelope[at + 1 :], public, topic)


def test_the_example_in_the_documentation_is_what_the_code_makes_of_its_values(key, topic):
    # Read from the file, not made by the factory: numpy's random numbers may differ between its releases.
    written = bytes.fromhex((DOCS / "example-observation.hex").read_text(encoding="ascii"))
    observation = decode(verify(written, key.public_key(), topic), Observation)
    assert (observation.device, observation.receipt.position, observation.statement.epsilon) == ("cam-1", 3, 1)
    check(observation)
    assert sign(encode(observation), key, topic) == written


@pytest.mark.broker
def test_it_prints_an_observation_and_refuses_a_changed_one(mosquitto, tmp_path, signed, key, topic):
    pem = tmp_path / "cam-1.pub"
    pem.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    sender = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    sender.connect(mosquitto.host, mosquitto.port)
    sender.loop_start()
    # Retained, so that nothing depends on who comes first.
    sender.publish(topic, signed[1], qos=1, retain=True).wait_for_publish(10)
    command = [sys.executable, str(PATH), mosquitto.host, str(mosquitto.port), "speckled", str(pem)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline().startswith("cam-1 day position 3: 2 keypoints")
            sender.publish(topic, signed[1][:-1] + b"\0", qos=1).wait_for_publish(10)
            assert process.stdout.readline().startswith("refused")
        finally:
            process.terminate()
            sender.disconnect()
            sender.loop_stop()
