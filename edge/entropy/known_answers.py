"""Answers that the cryptography must reproduce before anything is drawn, and again every day."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from edge.entropy.conditioning import Conditioner
from edge.entropy.drbg import CtrDrbg

PERIOD_SECONDS = 24 * 3600
"""Seconds between two checks of a pool that is in use."""


class KnownAnswers:
    """When the cryptography was last checked, and whether it is to be checked again."""

    def __init__(self, conditioner: Conditioner, clock: Callable[[], float]) -> None:
        """clock: monotonic seconds."""
        self._clock = clock
        self._checked: float | None = None
        self._tests = (
            ("SHA-512", _sha512_holds),
            ("AES-256", _aes256_holds),
            ("CTR_DRBG", _ctr_drbg_holds),
            (conditioner.name, conditioner.self_test),
        )

    @property
    def due(self) -> bool:
        """Whether PERIOD_SECONDS have passed since all answers were right, or they never were."""
        return self._checked is None or self._clock() - self._checked >= PERIOD_SECONDS

    def failed(self) -> str | None:
        """Try all of them. Returns the name of the first function that gives a wrong answer or none, else None."""
        for name, holds in self._tests:
            try:
                right = holds()
            except Exception:  # a library that cannot compute is as unusable as one that computes wrongly
                right = False
            if not right:
                self._checked = None
                return name
        self._checked = self._clock()
        return None


def _sha512_holds() -> bool:
    """FIPS 180-2, appendix C.1: the message abc."""
    return hashlib.sha512(b"abc").hexdigest() == (
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    )


def _aes256_holds() -> bool:
    """FIPS 197, appendix C.3, through the mode that the generator uses: CTR encrypts the counter."""
    cipher = Cipher(algorithms.AES(bytes(range(32))), modes.CTR(bytes.fromhex("00112233445566778899aabbccddeeff")))
    return cipher.encryptor().update(bytes(16)).hex() == "8ea2b7ca516745bfeafc49904b496089"


def _ctr_drbg_holds() -> bool:
    return all(vector.holds() for vector in VECTORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One record of CTR_DRBG.rsp in NIST's DRBG test vectors (CAVS 14.3), all fields hexadecimal.

    Section [AES-256 no df], [PredictionResistance = False]. `answer` is what the second of two requests returns;
    where there is a reseed, it comes before both.
    """

    entropy: str
    personalization: str = ""
    reseed: str = ""
    reseeded_with: str = ""
    additional: tuple[str, str] = ("", "")
    answer: str

    def holds(self) -> bool:
        """Whether a new CtrDrbg gives the answer."""
        drbg, answer = CtrDrbg(), bytes.fromhex(self.answer)
        drbg.seed(memoryview(bytes.fromhex(self.entropy)), bytes.fromhex(self.personalization))
        if self.reseed:
            drbg.seed(memoryview(bytes.fromhex(self.reseed)), bytes.fromhex(self.reseeded_with))
        return [drbg.generate(len(answer), bytes.fromhex(text)) for text in self.additional][1] == answer


VECTORS = (
    Vector(
        entropy="df5d73faa468649edda33b5cca79b0b05600419ccb7a879ddfec9db32ee494e5531b51de16a30f769262474c73bec010",
        answer=(
            "d1c07cd95af8a7f11012c84ce48bb8cb87189e99d40fccb1771c619bdf82ab22"
            "80b1dc2f2581f39164f7ac0c510494b3a43c41b7db17514c87b107ae793e01c5"
        ),
    ),
    Vector(
        entropy="f45e9d040c1456f1c7f26e7f146469fbe3973007fe037239ad57623046e7ec52221b22eec208b22ac4cf4ca8d6253874",
        additional=(
            "28819bc79b92fc8790ebdc99812cdcea5c96e6feab32801ec1851b9f46e80eb6800028e61fbccb6ccbe42b06bf5a0864",
            "418ca848027e1b3c84d66717e6f31bf89684d5db94cd2d579233f716ac70ab66cc7b01a6f9ab8c7665fcc37dba4af1ad",
        ),
        answer=(
            "4f11406bd303c104243441a8f828bf0293cb20ac39392061429c3f56c1f42623"
            "9f8f0c687b69897a2c7c8c2b4fb520b62741ffdd29f038b7c82a9d00a890a3ed"
        ),
    ),
    Vector(
        entropy="0dd4d80062ecc0f359efbe7723020be9b88b550fe74088094069e74428395856f63eed4f5b0e7d1e006f0eaff74f638c",
        personalization=(
            "d2aa2ccd4bc6537e51f6550ab6d6294547bef3e971a7f128e4436f957de9982c93ee22110b0e40ab33a7d3dfa22f599d"
        ),
        additional=(
            "0b081bab6c74d86b4a010e2ded99d14e0c9838f7c3d69afd64f1b66377d95cdcb7f6ec5358e3516034c3339ced7e1638",
            "ca818f938ae0c7f4f507e4cfec10e7baf51fe34b89a502f754d2d2be7395120fe1fb013c67ac2500b3d17b735da09a6e",
        ),
        answer=(
            "6808268b13e236f642c06deba2494496e7003c937ebf6f7cb7c92104ea090f18"
            "484aa075560d7844a06eb559948c93b26ae40f2db98ecb53ad593eb4c78f82b1"
        ),
    ),
    Vector(
        entropy="e4bc23c5089a19d86f4119cb3fa08c0a4991e0a1def17e101e4c14d9c323460a7c2fb58e0b086c6c57b55f56cae25bad",
        reseed="fd85a836bba85019881e8c6bad23c9061adc75477659acaea8e4a01dfe07a1832dad1c136f59d70f8653a5dc118663d6",
        answer=(
            "b2cb8905c05e5950ca31895096be29ea3d5a3b82b269495554eb80fe07de43e1"
            "93b9e7c3ece73b80e062b1c1f68202fbb1c52a040ea2478864295282234aaada"
        ),
    ),
    Vector(
        entropy="99903165903fea49c2db26ed675e44cc14cb2c1f28b836b203240b02771e831146ffc4335373bb344688c5c950670291",
        reseed="b4ee99fa9e0eddaf4a3612013cd636c4af69177b43eebb3c58a305b9979b68b5cc820504f6c029aad78a5d29c66e84a0",
        reseeded_with=(
            "2d8c5c28b05696e74774eb69a10f01c5fabc62691ddf7848a8004bb5eeb4d2c5febe1aa01f4d557b23d7e9a0e4e90655"
        ),
        additional=(
            "0dc9cde42ac6e856f01a55f219c614de90c659260948db5053d414bab0ec2e13e995120c3eb5aafc25dc4bdcef8ace24",
            "711be6c035013189f362211889248ca8a3268e63a7eb26836d915810a680ac4a33cd1180811a31a0f44f08db3dd64f91",
        ),
        answer=(
            "11c7a0326ea737baa7a993d510fafee5374e7bbe17ef0e3e29f50fa68aac2124"
            "b017d449768491cac06d136d691a4e80785739f9aaedf311bba752a3268cc531"
        ),
    ),
)
