import json
from pathlib import Path

import cbor2
import msgspec
import numpy as np
import pytest
import yaml
from factories import altered
from pycddl import Schema, ValidationError

from wire import schema, topics
from wire.codec import encode
from wire.schema import Acknowledgement

WIRE = Path(schema.__file__).parent
CDDL = (WIRE / "observation.cddl").read_text(encoding="utf-8")
ASYNC = yaml.safe_load((WIRE / "asyncapi.yaml").read_text(encoding="utf-8"))
ACK = Acknowledgement(device="cam-1", epoch=bytes(16), since=1, upto=9, hash=bytes(32), gaps=[(2, 3)])


def rule(name):
    return Schema(f"start = {name}\n{CDDL}")


def maps(node, at=()):
    if isinstance(node, dict):
        yield at
        for name, child in node.items():
            yield from maps(child, (*at, name))


def inside(node, at):
    for step in at:
        node = node[step]
    return node


def test_the_cddl_admits_what_the_code_sends(signed):
    rule("observation").validate_cbor(encode(signed[0]))
    rule("envelope").validate_cbor(signed[1])
    rule("protected-header").validate_cbor(cbor2.loads(signed[1]).value[0])
    rule("acknowledgement").validate_cbor(encode(ACK))


@pytest.mark.parametrize("d", [8, 32, 128])
def test_the_cddl_admits_each_kind_of_descriptor_and_the_hashes_of_what_made_them(signed, d):
    made = {"model": bytes(32), "codebook": bytes(32), "descriptors": np.zeros((2, d), np.uint8)}
    rule("observation").validate_cbor(encode(altered(signed[0], features=altered(signed[0].features, **made))))


@pytest.mark.parametrize(
    "change",
    [
        {"model": None},
        {"model": bytes(31)},
        {"descriptors": cbor2.CBORTag(40, [[2, 64], cbor2.CBORTag(64, bytes(128))])},
        {"keypoints": cbor2.CBORTag(40, [[2, 5], cbor2.CBORTag(85, bytes(40))])},
        {"vector": cbor2.CBORTag(64, bytes(8))},
        {"vector": cbor2.CBORTag(72, bytes(513))},
    ],
)
def test_the_cddl_refuses_arrays_and_hashes_of_another_form(signed, change):
    whole = cbor2.loads(encode(signed[0]))
    whole["features"].update(change)
    with pytest.raises(ValidationError):
        rule("observation").validate_cbor(cbor2.dumps(whole, canonical=True))


@pytest.mark.parametrize("name", ["observation", "acknowledgement"])
def test_the_cddl_requires_every_field_and_admits_no_other(signed, name):
    whole = cbor2.loads(encode(signed[0] if name == "observation" else ACK))
    validator = rule(name)
    for at in maps(whole):
        for field in (*inside(whole, at), "another"):
            hostile = cbor2.loads(cbor2.dumps(whole))
            part = inside(hostile, at)
            if field in part:
                del part[field]
            else:
                part[field] = 1
            with pytest.raises(ValidationError):
                validator.validate_cbor(cbor2.dumps(hostile, canonical=True))


def resolve(node):
    while isinstance(node, dict) and set(node) == {"$ref"} and node["$ref"].startswith("#/"):
        node = inside(ASYNC, node["$ref"][2:].split("/"))
    return node


def test_the_asyncapi_document_has_the_topics_of_the_code():
    filled = {"root": "speckled", "device": "cam-1", "bucket": topics.bucket("cam-1")}
    mine = topics.Topics("speckled", "cam-1")
    assert set(ASYNC["channels"]) == set(topics.KINDS)
    for kind, channel in ASYNC["channels"].items():
        assert channel["address"].format(**filled) == mine.of(kind)
        assert set(channel["parameters"]) == set(filled)


def test_the_asyncapi_document_has_the_quality_of_service_of_the_code():
    seen = {}
    for operation in ASYNC["operations"].values():
        binding = operation["bindings"]["mqtt"]
        kind = operation["channel"]["$ref"].removeprefix("#/channels/")
        seen[kind] = (binding["qos"], binding["retain"])
    assert seen == {kind: (topics.QOS[kind], topics.RETAIN[kind]) for kind in topics.KINDS}


def test_the_asyncapi_document_has_the_json_schemas_of_the_code():
    template = "#/components/schemas/{name}"
    _, components = msgspec.json.schema_components(schema.JSON_STRUCTS, ref_template=template)
    assert flowing(ASYNC["components"]["schemas"]) == flowing(json.loads(json.dumps(components)))


def flowing(tree):
    """The same tree with every text on one line: Python 3.13 takes the indentation out of docstrings, 3.11 does not."""
    if isinstance(tree, dict):
        return {name: flowing(value) for name, value in tree.items()}
    return " ".join(tree.split()) if isinstance(tree, str) else tree


def test_the_asyncapi_document_keeps_the_rules_of_version_3():
    assert ASYNC["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(ASYNC["info"])
    for operation in ASYNC["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = resolve(operation["channel"])
        for message in operation["messages"]:
            assert message["$ref"].rsplit("/", 1)[1] in channel["messages"]
            payload = resolve(resolve(message))["payload"]
            reference = payload.get("schema", {}).get("$ref")
            assert resolve(payload) if reference is None else (WIRE / reference).is_file()


def test_the_asyncapi_document_has_the_content_types_of_the_code():
    for kind, channel in ASYNC["channels"].items():
        for message in channel["messages"].values():
            assert resolve(message)["contentType"] == topics.CONTENT_TYPE[kind]
