import decimal
from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest

from edge.entropy.buffer import mask, wipe
from edge.entropy.conditioning import HmacSha512


def output_entropy(n_in, n_out, width, h_in):
    """Output_Entropy of SP 800-90B, 3.1.5.1.2, in 400-digit decimals."""
    with decimal.localcontext() as context:
        context.prec = 400
        two = Decimal(2)
        high = two**-h_in
        low = (1 - high) / (two**n_in - 1)
        n = min(n_out, width)
        psi = two ** (n_in - n) * low + high
        collisions = two ** (n_in - n) + (2 * n * two ** (n_in - n) * two.ln()).sqrt()
        return -(max(psi, collisions * low).ln() / two.ln())


@pytest.mark.parametrize("credit", ["0.5", "4", "7", "7.2"])
def test_what_goes_in_makes_full_entropy_come_out_by_the_formula_of_the_standard(credit):
    conditioner = HmacSha512()
    samples = ceil(conditioner.demand / Fraction(credit))
    out = 8 * conditioner.size
    entropy = output_entropy(8 * samples, out, 512, conditioner.demand)
    assert out - entropy < Decimal(2) ** -58
    assert output_entropy(8 * samples, out, 512, out) <= out - Decimal("0.9")


def test_known_answers_of_rfc_4231_are_reproduced():
    assert HmacSha512().self_test()


def test_a_wrong_answer_fails_the_self_test(monkeypatch):
    monkeypatch.setattr("edge.entropy.conditioning.hmac.digest", lambda *_: bytes(64))
    assert not HmacSha512().self_test()


def test_the_same_samples_under_another_key_make_another_block():
    samples = memoryview(bytes(144))
    blocks = [bytearray(64) for _ in range(3)]
    for block, conditioner in zip(blocks, (HmacSha512(b"k" * 64), HmacSha512(b"k" * 64), HmacSha512()), strict=True):
        conditioner.condition(samples, memoryview(block))
    assert blocks[0] == blocks[1] != blocks[2]


def test_a_mask_is_combined_bit_for_bit_and_overwritten():
    data, other = bytearray(b"\x0f\xf0\xaa"), bytearray(b"\xff\x0f\xaa")
    mask(data, other)
    assert data == b"\xf0\xff\x00"
    assert not any(other)
    mask(bytearray(), bytearray())
    with pytest.raises(ValueError, match="equally long"):
        mask(bytearray(2), bytearray(3))


def test_wiping_overwrites_in_place():
    data = bytearray(b"secret")
    view = memoryview(data)
    wipe(data)
    assert bytes(view) == bytes(6)
