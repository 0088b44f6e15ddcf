import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Literal, NoReturn

from drivers.qrng.base import Qrng, QrngIdentity
from edge.entropy.buffer import mask, wipe
from edge.entropy.conditioning import Conditioner, FullEntropy, HmacSha512
from edge.entropy.drbg import CtrDrbg, Drbg
from edge.entropy.known_answers import KnownAnswers
from edge.entropy.latch import Latch
from edge.entropy.rbg import Kernel, Rbg, Rbg3Xor, ReseededDrbg
from edge.entropy.source import EXPECTED, REPLACE, SourceRestarted, State, TestedSource
from edge.errors import EntropyUnavailable, Reason
from wire import schema

Rate = Literal["true-random", "drbg"]
"""true-random: RBG3(XOR), full entropy. drbg: a generator seeded anew for each take; computational, and labelled so."""
_SOURCE_IS_TO_BLAME = frozenset(
    {
        Reason.ENTROPY_START,
        Reason.ENTROPY_REPETITION,
        Reason.ENTROPY_PROPORTION,
        Reason.ENTROPY_BITS,
        Reason.ENTROPY_REPLAY,
    }
)


class EntropyPool:
    """Random bytes from one tested chip, or nothing. One thread uses it.

    docs/entropy.md tells the life of a bit. Nothing is drawn ahead of need, and between two takes no sample and no
    output is held, only the state of the DRBG.
    """

    def __init__(
        self,
        qrng: Qrng,
        *,
        clock: Callable[[], float],
        conditioner: Conditioner | None = None,
        expected: Fraction = EXPECTED,
        commissioned: Fraction | None = None,
        latch: Latch | None = None,
        rate: Rate = "true-random",
        partners: tuple[Qrng, ...] = (),
        drbg: Drbg | None = None,
        kernel: Kernel = os.urandom,
    ) -> None:
        """Draw from `qrng`. clock: monotonic seconds. conditioner: HMAC-SHA-512 with a new key where None.

        expected: min-entropy in bits that the tests expect of each bit, raised to the credit where that is higher.
        commissioned: bits of min-entropy in a sample that a commissioning report measured; it can only lower the
        credit. latch: where a failure of the tests outlives the process; None keeps it in this object only.
        partners: further sources, tested alike and never credited, XORed into every byte that is handed out.
        drbg, kernel: CTR_DRBG with AES-256 and os.urandom, except in tests. Raises ValueError for too many partners,
        or one that is the chip.
        """
        if len(partners) > schema.MAX_PARTNERS or any(partner is qrng for partner in partners):
            raise ValueError(f"a pool has at most {schema.MAX_PARTNERS} partners, none of which is the chip itself")
        self._conditioner: Conditioner = HmacSha512() if conditioner is None else conditioner
        self._commissioned = commissioned
        self._latch = latch
        self._chip = TestedSource(qrng, clock=clock, expected=expected)
        self._partners = tuple(TestedSource(p, clock=clock, expected=expected, partner=True) for p in partners)
        self._known_answers = KnownAnswers(self._conditioner, clock)
        generator = CtrDrbg() if drbg is None else drbg
        self._rbg: Rbg = Rbg3Xor(generator, kernel) if rate == "true-random" else ReseededDrbg(generator, kernel)
        self._entropy: FullEntropy | None = None
        self._failure: tuple[Reason, str, str] | None = None

    @property
    def state(self) -> State:
        """FAILED once anything has failed for good; else that of the first source that is not HEALTHY, or HEALTHY."""
        if self._failure is not None:
            return State.FAILED
        return next((source.state for source in self._sources if source.state is not State.HEALTHY), State.HEALTHY)

    @property
    def reason(self) -> Reason | None:
        """Why the pool failed for good, or None."""
        return None if self._failure is None else self._failure[0]

    @property
    def credit(self) -> Fraction:
        """Bits of min-entropy that a sample counts for. Raises EntropyUnavailable before the chip is identified."""
        claimed = self._identified(self._chip).credit
        return claimed if self._commissioned is None else min(claimed, self._commissioned)

    @property
    def startups(self) -> int:
        """How often the start-up tests were run, over all sources."""
        return sum(source.startups for source in self._sources)

    def start(self) -> None:
        """Identify the sources, run the start-up tests and the known answers; does nothing when HEALTHY.

        Raises EntropyUnavailable. After ENTROPY_DEVICE with state ABSENT a source could not be opened and `start`
        may be tried again.
        """
        if self.state is State.HEALTHY:
            return
        self._refuse_failed()
        earlier = None if self._latch is None else self._latch.read()
        if earlier is not None:
            self._failure = (Reason.ENTROPY_LATCHED, f"{earlier} (before a restart)", REPLACE)
            self._refuse_failed()
        self._check_known_answers()
        for source in self._sources:
            with self._failing_closed():
                source.start()
        if self.credit <= 0:
            self._fail(
                EntropyUnavailable(
                    Reason.ENTROPY_DEVICE,
                    "commissioning found no min-entropy in the samples",
                    "Commission the source again, and replace it if that finds none either.",
                )
            )
        self._entropy = FullEntropy(self._chip, self._conditioner, self.credit)

    def take(self, n: int) -> bytearray:
        """Exactly `n` bytes, whole or nothing: one call is one window's allotment. The caller wipes them.

        Every byte is made of windows of samples that passed all tests, and every source is HEALTHY from the first
        byte to the last. Raises EntropyUnavailable, and then nothing that was drawn for this call survives.
        """
        entropy = self._require_healthy()
        if self._known_answers.due:
            self._check_known_answers()
        while True:
            try:
                with self._failing_closed():
                    return self._generate(entropy, n)
            except SourceRestarted:
                continue  # a second restart of any source within an hour is a failure, so this ends

    def check(self) -> None:
        """Draw a new window of each source, test it and throw it away.

        Raises EntropyUnavailable when a source is not HEALTHY then.
        """
        self._require_healthy()
        for source in self._sources:
            with self._failing_closed(), suppress(SourceRestarted):  # it passed its start-up tests after that
                source.check()

    def retest(self) -> None:
        """Run the known answers, and the start-up tests of each source on new samples. Raises EntropyUnavailable."""
        self._require_healthy()
        self._check_known_answers()
        for source in self._sources:
            with self._failing_closed():
                source.retest()

    def provenance(self) -> schema.Entropy:
        """What observations say of their noise. Raises EntropyUnavailable before the sources are identified."""
        identity = self._identified(self._chip)
        partners = [self._identified(partner) for partner in self._partners]
        return schema.Entropy(
            source=identity.driver[:64],
            model=identity.model[:64],
            sample_bits=identity.sample_bits,
            credit=self.credit,
            conditioning=self._conditioner.name,
            construction=self._rbg.construction,
            partners=[partner.driver[:64] for partner in partners],
            simulated=any(each.simulated for each in (identity, *partners)),
        )

    def stop(self) -> None:
        """Overwrite what is held and release the devices. Safe to call twice; FAILED stays FAILED."""
        self._rbg.wipe()
        for source in self._sources:
            source.close()

    @property
    def _sources(self) -> tuple[TestedSource, ...]:
        return (self._chip, *self._partners)

    def _generate(self, entropy: FullEntropy, n: int) -> bytearray:
        """The partners' samples first, the chip last, whose driver looks at its status after the last sample.

        A partner is looked at once more when the chip is done, so that all of them vouch for the whole call.
        """
        masks: list[bytearray] = []
        out = bytearray()
        try:
            for partner in self._partners:
                masks.append(partner.draw(n))  # noqa: PERF401 - a later one may fail, and then these are wiped
            out = self._rbg.generate(entropy, n)
            for samples in masks:
                mask(out, samples)
            for partner in self._partners:
                partner.check()
        except BaseException:  # whatever stops the draw, its bytes do not outlive it
            for held in (*masks, out):
                wipe(held)
            raise
        return out

    @contextmanager
    def _failing_closed(self) -> Iterator[None]:
        try:
            yield
        except EntropyUnavailable as error:
            if any(source.state is State.FAILED for source in self._sources):
                self._fail(error)
            self.stop()
            raise

    def _fail(self, error: EntropyUnavailable) -> NoReturn:
        """Destroy the state, release every device, and remember why, across restarts where a source is to blame."""
        blamed = next((source.name for source in self._sources if source.state is State.FAILED), "")
        self._failure = (error.reason, error.detail, error.remedy)
        self.stop()
        detail = error.detail
        if self._latch is not None and error.reason in _SOURCE_IS_TO_BLAME:
            try:
                self._latch.write(f"{error.reason.value} ({blamed})" if blamed else error.reason.value)
            except OSError as trouble:
                detail += f"; it could not be recorded for the next start ({trouble.strerror})"
        raise EntropyUnavailable(error.reason, detail, error.remedy) from error.__cause__

    def _check_known_answers(self) -> None:
        wrong = self._known_answers.failed()
        if wrong is not None:
            self._fail(
                EntropyUnavailable(
                    Reason.ENTROPY_CRYPTOGRAPHY,
                    f"{wrong} does not reproduce its known answers",
                    "Reinstall Python and its cryptography package, and test the memory of this machine.",
                )
            )

    def _require_healthy(self) -> FullEntropy:
        self._refuse_failed()
        if self._entropy is None or self.state is not State.HEALTHY:
            raise EntropyUnavailable(
                Reason.ENTROPY_NOT_STARTED, f"the source is {self.state.value}", "Start the pool first."
            )
        return self._entropy

    def _refuse_failed(self) -> None:
        if self._failure is None:
            return
        reason, detail, remedy = self._failure
        first = detail if reason is Reason.ENTROPY_LATCHED else f"{reason.value}: {detail}"
        if self._latch is not None and self._latch.read() is not None:
            remedy += f" Then `speckled qrng test --config FILE --clear-latch` removes {self._latch.path} if it passes."
        raise EntropyUnavailable(Reason.ENTROPY_LATCHED, f"the source failed earlier: {first}", remedy)

    def _identified(self, source: TestedSource) -> QrngIdentity:
        if source.identity is None:
            raise EntropyUnavailable(
                Reason.ENTROPY_NOT_STARTED, "the source is not identified yet", "Start the pool first."
            )
        return source.identity
