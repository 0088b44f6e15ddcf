from pathlib import Path

import cbor2
import pytest
from factories import altered
from pycddl import Schema, ValidationError

from wire import schema
from wire.codec import decode, encode
from wire.errors import WireError, WireReason
from wire.schema import MAX_PARTNERS, Observation

CDDL = (Path(schema.__file__).parent / "observation.cddl").read_text(encoding="utf-8")


def with_entropy(observation, **changes):
    statement = observation.statement
    return altered(observation, statement=altered(statement, entropy=altered(statement.entropy, **changes)))


@pytest.mark.parametrize("construction", ["rbg3-xor", "drbg"])
@pytest.mark.parametrize("partners", [[], ["tpm"], ["tpm", "character", "tpm", "x" * 64]])
def test_construction_and_partners_survive_the_wire_and_are_in_the_contract(signed, construction, partners):
    message = encode(with_entropy(signed[0], construction=construction, partners=partners))
    Schema(f"start = observation\n{CDDL}").validate_cbor(message)
    entropy = decode(message, Observation).statement.entropy
    assert (entropy.construction, entropy.partners) == (construction, partners)
    assert entropy.computational is (construction == "drbg")


@pytest.mark.parametrize(
    "changes",
    [{"construction": "prng"}, {"partners": ["tpm"] * (MAX_PARTNERS + 1)}, {"partners": [""]}, {"partners": "tpm"}],
)
def test_another_construction_or_too_many_partners_are_refused_by_code_and_contract(signed, changes):
    whole = cbor2.loads(encode(signed[0]))
    whole["statement"]["entropy"] |= changes
    message = cbor2.dumps(whole, canonical=True)
    with pytest.raises(WireError) as caught:
        decode(message, Observation)
    assert caught.value.reason is WireReason.SCHEMA
    with pytest.raises(ValidationError):
        Schema(f"start = observation\n{CDDL}").validate_cbor(message)
