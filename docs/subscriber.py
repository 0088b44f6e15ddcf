"""Reference subscriber: HOST PORT TOPIC-ROOT PUBLIC-KEY-FILE. Verifies and prints the observations of one device."""

import hashlib
import sys
from pathlib import Path

import cbor2
import numpy as np
import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

LIMIT = 65536


def verify(envelope, key, topic):
    """The payload of a COSE_Sign1 envelope, with the topic as external data; ValueError otherwise."""
    if len(envelope) > LIMIT:
        raise ValueError("too long")
    protected, unprotected, payload, signature = cbor2.loads(envelope).value
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    if cbor2.loads(protected) != {1: -8, 4: hashlib.sha256(raw).digest()[:8]} or unprotected:
        raise ValueError("another key or algorithm")
    if cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]), canonical=True) != envelope:
        raise ValueError("not canonical")
    key.verify(signature, cbor2.dumps(["Signature1", protected, topic.encode(), payload], canonical=True))
    return payload


def array(tag, *_):
    """Typed arrays (RFC 8746): 64 is uint8, 72 is sint8, 40 gives one of them a shape."""
    if tag.tag == 40:
        return tag.value[1].reshape(tag.value[0])
    return np.frombuffer(tag.value, {64: "u1", 72: "i1"}[tag.tag])


def describe(message):
    """One line about an observation."""
    statement, features = message["statement"], message["features"]
    u, source = statement["unit"], "SIMULATED" if statement["simulated"] else "real"
    unit = f"{u['visits']} x {u['seconds']} s x {u['pixels']} px, noise {statement['entropy']['construction']}"
    where = f"{message['device']} {message['level']} position {message['receipt']['position']}"
    return f"{where}: {len(features['keypoints'])} keypoints, epsilon {statement['epsilon']} for {unit}, {source}"


def on_message(_client, key, message):
    """Print an observation, or that it was refused."""
    try:
        print(describe(cbor2.loads(verify(message.payload, key, message.topic), tag_hook=array)), flush=True)
    except Exception as error:  # a hostile message must not end the subscriber
        print(f"refused: {type(error).__name__}", flush=True)


if __name__ == "__main__":
    host, port, root, key_file = sys.argv[1:]
    public = load_pem_public_key(Path(key_file).read_bytes())
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, userdata=public)
    client.on_connect = lambda client, *_: client.subscribe(f"{root}/v1/+/+/observation", qos=1)
    client.on_message = on_message
    client.connect(host, int(port))
    client.loop_forever()
