import contextlib
import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.emulated.faults import seeded
from drivers.emulated.profile import EmulatedChip
from drivers.errors import QrngError, QrngReason
from drivers.qrng.profile import SHIPPED, ProfiledChip, load_profile
from drivers.qrng.profile.tables import Bus, Header, Health, Identify, Read, Ready, Sample, SelfTest, Status, Step

NAMES = ["microrng", "idq-packet", "rdrng"]
TREES = {name: tomllib.loads((SHIPPED / f"{name}.toml").read_text()) for name in NAMES}
DOCS = Path(__file__).resolve().parents[2] / "docs/devices/profile.md"
TABLES = {
    "bus": Bus,
    "identify[]": Identify,
    "start[]": Step,
    "selftest": SelfTest,
    "status": Status,
    "ready": Ready,
    "read": Read,
    "read.header": Header,
    "read.health": Health,
    "sample": Sample,
}
PACKET = """
name = "chip"
[bus]
mode = 0
speed_hz = 1000000
[[identify]]
tx = "90 00"
expect = "00 a2"
mask = "00 ff"
[status]
tx = "91 00"
rx_index = 1
ok = "01"
mask = "0f"
[ready]
duplicate = "08"
[read]
tx_prefix = "92"
burst = 18
header = { index = 0, value = "a2" }
health = { index = 1, ok = "00" }
payload = [2, 18]
[sample]
raw = true
h_min_claim = 0.5
claimed_by = "nobody"
"""


def toml(value):
    """A value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str | bool) else repr(value)


def written(path, tree):
    path.write_text("".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in tree.items()), encoding="utf-8")
    return path


def refused(path, text=None):
    if text is not None:
        path.write_text(text)
    with pytest.raises(QrngError) as caught:
        load_profile(path)
    error = caught.value
    assert error.reason is QrngReason.BAD_PROFILE
    assert error.detail.startswith(f"{path}: ")
    assert "\n" not in str(error) + error.remedy
    assert error.remedy.endswith((".", "?"))
    return error


@pytest.fixture
def file(tmp_path):
    return tmp_path / "chip.toml"


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_profile_loads_and_its_emulated_chip_gives_samples(name):
    profile = load_profile(SHIPPED / f"{name}.toml")
    chip = ProfiledChip(profile, bus=EmulatedChip(profile))
    chip.open()
    assert len(set(chip.read(1000))) > 200


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.example")), ids=lambda path: path.name)
def test_a_template_is_refused_until_its_placeholders_are_filled_in(path):
    error = refused(path)
    assert "bus.mode: still a placeholder (and " in error.detail
    assert "replace every ??" in error.remedy


FILLED_IN = {
    "mode": "0",
    "speed_hz": "1_000_000",
    "rx_index": "1",
    "delay_us": "5",
    "burst": "8",
    "h_min_claim": "0.5",
    "tx": '"41 40"',
    "tx_prefix": '"40"',
    "expect": '"00 61"',
    "ok": '"01"',
    "claimed_by": '"data sheet, section 3"',
    "payload": "[0, 8]",
}


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.example")), ids=lambda path: path.name)
def test_a_template_that_is_filled_in_loads(path, file):
    text = re.sub(r'^mask = "\?\?"$', "", path.read_text(), flags=re.MULTILINE)
    text = re.sub(r"^(\w+) = .*\?\?.*$", lambda line: f"{line[1]} = {FILLED_IN[line[1]]}", text, flags=re.MULTILINE)
    file.write_text(text)
    assert load_profile(file).identify


def test_the_worked_example_of_the_docs_loads_and_works(file):
    (example,) = re.findall(r"^```toml\n(.*?)^```", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    file.write_text(example)
    profile = load_profile(file)
    chip = ProfiledChip(profile, bus=EmulatedChip(profile))
    chip.open()
    assert len(set(chip.read(1000))) > 200


def test_the_docs_name_every_key():
    text = DOCS.read_text(encoding="utf-8")
    tables = re.findall(r"^\| `.*$", text, flags=re.MULTILINE)
    for table, kind in TABLES.items():
        for key in {field.name for field in msgspec.structs.fields(kind)} - {"header", "health"}:
            assert any(f"`{table}." in row and f".{key}`" in row for row in tables), f"{table}.{key}"


DEFECTS = [
    ("mode = 0", "mode = 4", "bus.mode: Expected `int` <= 3", "Correct the value"),
    ("mode = 0", "mode = '0'", "bus.mode: Expected `int`, got `str`", "Correct the value"),
    ("mode = 0", "moed = 0", "bus.moed: no such key", "Did you mean mode?"),
    ("mode = 0", "colour = 0", "bus.colour: no such key", "The keys here are bits, cs_change_per_byte, max_transfer"),
    ("mode = 0", "", "bus.mode: missing", "Add the key"),
    ("mode = 0", "mode = 0\nbits = 16", "bus.bits: Expected 8", "Correct the value"),
    ("speed_hz = 1000000", "speed_hz = 0", "bus.speed_hz: Expected `int` >= 1000", "Correct the value"),
    ("[status]", "[statsu]", "statsu: no such key", "Did you mean status?"),
    ("[[identify]]", "[identify]", "identify: Expected `array`", "Correct the value"),
    (
        'expect = "00 a2"',
        'expekt = "00 a2"',
        "identify[0].expekt: no such key",
        "Did you mean expect?",
    ),
    ('expect = "00 a2"', 'expect = "a2"', "identify[0]: expect has 1 bytes, but tx has 2", "Correct"),
    ('expect = "00 a2"', 'expect = "0xa2"', "identify[0].expect: not hex", "Correct"),
    ('expect = "00 a2"', "expect = 0xa2", "identify[0].expect: write bytes as hex in quotes", "Correct"),
    ('expect = "00 a2"', 'expect = "01 a2"', "identify[0]: expect has ones where mask has zeros", "Correct"),
    ('mask = "00 ff"', 'mask = "ff"', "identify[0]: mask has 1 bytes, but expect has 2", "Correct"),
    ('mask = "00 ff"', 'mask = "00 00"', "identify[0]: mask is all zeros", "Correct"),
    ('expect = "00 a2"', 'expect = "00 00"', "a MISO line that is held low: add identify or selftest", "Correct"),
    ('expect = "00 a2"', 'expect = "00 ff"', "a MISO line that is held high", "Correct"),
    ('tx = "90 00"', 'tx = "90 a2"', "a MISO line that is tied to MOSI", "Correct"),
    ("[sample]", '[[start]]\ntx = "01 02"\nexpect = "01"\n[sample]', "start[0]: expect has 1 bytes, but tx", "Correct"),
    ("[sample]", '[[stop]]\ntx = "01"\nmask = "01"\n[sample]', "stop[0]: expect has 0 bytes, but tx has 1", "Correct"),
    ("payload = [2, 18]", 'payload = [2, "??"]', "read.payload[1]: still a placeholder", "Copy the template"),
    ('tx = "91 00"', 'tx = ""', "status: tx is empty", "Correct"),
    ('ok = "01"', 'ok = "11"', "status: ok has ones where mask has zeros", "Correct"),
    ('ok = "01"', 'ok = "01 00"', "status.ok: needs exactly one byte, and has 2", "Correct"),
    ('mask = "0f"', 'mask = "00"', "status: mask is zero", "Correct"),
    ("rx_index = 1", "rx_index = 2", "status: rx_index 2 is not inside the answer, which has 2 bytes", "Correct"),
    ("rx_index = 1", "rx_index = true", "status.rx_index: Expected `int`, got `bool`", "Correct"),
    ('duplicate = "08"', "", "ready: give tx and ok, or duplicate, or all three", "Correct"),
    ('duplicate = "08"', 'ok = "08"', "ready: tx is missing", "Correct"),
    ('duplicate = "08"', 'tx = "41"', "ready: ok is missing", "Correct"),
    ('duplicate = "08"', 'duplicate = "00"', "ready.duplicate and read.health.ok are the same value", "Correct"),
    ('health = { index = 1, ok = "00" }', "", "ready.duplicate is a value of the health byte", "Correct"),
    ("payload = [2, 18]", "payload = [2, 19]", "read: payload [2, 19] is not inside a burst of 18 bytes", "Correct"),
    ("payload = [2, 18]", "payload = [4, 4]", "read: payload [4, 4] is not inside", "Correct"),
    ("payload = [2, 18]", "payload = [1, 18]", "read: health.index 1 is inside the payload [1, 18]", "Correct"),
    ("payload = [2, 18]", "payload = [2]", "read.payload: Expected `array` of length 2", "Correct"),
    ("{ index = 0,", "{ index = 18,", "read: header.index 18 is not inside a burst", "Correct"),
    ("{ index = 0,", "{ indx = 0,", "read.header.indx: no such key", "Did you mean index?"),
    ("{ index = 0,", "{ index = 1,", "read: header and health are the same byte", "Correct"),
    ("burst = 18", "burst = 18\npartial = true", "read: partial needs a burst that is all payload", "Correct"),
    ("burst = 18", "burst = 5000", "read.burst: Expected `int` <= 4096", "Correct"),
    ("mode = 0", "mode = 0\nmax_transfer = 18", "read takes 19 bytes, more than bus.max_transfer (18)", "Correct"),
    ("mode = 0", "mode = 0\nmax_transfer = 4097", "bus.max_transfer: Expected `int` <= 4096", "Correct"),
    (
        "mode = 0",
        "mode = 0\ncs_change_per_byte = true",
        "identify[0].tx has 2 bytes, but with bus.cs_change",
        "Correct",
    ),
    ("h_min_claim = 0.5", "h_min_claim = 0.91", "sample.h_min_claim: Expected `float` <= 0.9", "Correct"),
    ("h_min_claim = 0.5", "h_min_claim = nan", "sample.h_min_claim: Expected `float` >= 0.01", "Correct"),
    ("h_min_claim = 0.5", "", "sample.h_min_claim: missing", "Add the key"),
    ('claimed_by = "nobody"', 'claimed_by = ""', "sample.claimed_by: ", "Correct"),
    ('name = "chip"', 'name = "a\\nb"', "name: Expected a name that matches", "Correct"),
    ('name = "chip"', "name = chip", "Invalid value (at line 2, column 8)", "Correct the TOML"),
    ('name = "chip"', "name = " + "[" * 5000, "not TOML", "Correct the TOML"),
    ('name = "chip"', "name = " + "9" * 5000, "not TOML", "Correct the TOML"),
    ('name = "chip"', "name = 1979-05-27", "name: Expected `str`, got `date`", "Correct the value"),
    ('name = "chip"', "#" * 70000, "longer than 65536 bytes", "Name the TOML file"),
]


@pytest.mark.parametrize(("old", "new", "what", "remedy"), DEFECTS, ids=[f"{d[2][:40]}" for d in DEFECTS])
def test_a_defect_is_one_line_with_its_place_and_a_remedy(file, old, new, what, remedy):
    assert PACKET.count(old) == 1
    error = refused(file, PACKET.replace(old, new))
    assert what in error.detail
    assert error.remedy.startswith(remedy)


SELF_TESTS = [
    ('kind = "counter"\nlength = 15', "selftest: length of a counter test is at least 16"),
    ('kind = "counter"\nlength = 16\nexpect = "01"', "selftest: expect has no meaning for a counter"),
    ('kind = "pattern"\nlength = 4\nexpect = "55 55"', "selftest: expect needs at least two different bytes"),
    ('kind = "kat"\nlength = 4\nexpect = "01 02 03"', "selftest: expect has 3 bytes, but length is 4"),
    ('kind = "pattern"\nlength = 1\nexpect = "01 02"', "selftest: expect is longer than length"),
    (
        'kind = "kat"\nlength = 2\nexpect = "01 02"\nevery_bytes = 5',
        "selftest: every_bytes has a meaning for a counter",
    ),
    ('kind = "pattern"\nlength = 4096\nexpect = "01 02"', "selftest takes 4097 bytes, more than bus.max_transfer"),
    ('kind = "hope"\nlength = 20', "selftest.kind: Expected 'counter' or 'pattern' or 'kat'"),
]


@pytest.mark.parametrize(("keys", "what"), SELF_TESTS)
def test_a_self_test_that_proves_nothing_is_refused(file, keys, what):
    assert what in refused(file, PACKET + f'[selftest]\ncmd = "74"\n{keys}\n').detail


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("[0, 256]\npartial = true", "[1, 256]", "a burst is all payload"),
        ('dummy = "72"', 'dummy = "72"\ntx_prefix = "01"', "read.tx_prefix: with bus.cs_change_per_byte"),
        ('cmd = "74"', 'cmd = "74 74"', "selftest.cmd has 2 bytes"),
        ('tx = "73"\nrx_index = 0', 'tx = "73 73"\nrx_index = 1', "status.tx has 2 bytes"),
        ("[read]", '[ready]\ntx = "75 75"\nok = "01"\n[read]', "ready.tx has 2 bytes"),
        ("max_transfer = 511", "max_transfer = 200", "more than bus.max_transfer (200)"),
    ],
)
def test_a_chip_that_takes_one_byte_in_a_transfer_has_commands_of_one_byte(file, old, new, what):
    text = (SHIPPED / "microrng.toml").read_text()
    assert old in text
    assert what in refused(file, text.replace(old, new)).detail


def test_a_chip_that_cannot_be_told_from_a_wire_is_refused(file):
    tree = dict(TREES["microrng"])
    del tree["selftest"]
    assert "nothing tells the chip from a MISO line" in refused(written(file, tree)).detail


def test_a_missing_file_a_folder_and_a_strange_name_are_not_found(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path, "a\0b"):
        with pytest.raises(QrngError) as caught:
            load_profile(path)
        assert caught.value.reason is QrngReason.NOT_FOUND


def test_a_file_that_may_not_be_read_says_so(file, monkeypatch):
    file.write_text(PACKET)

    def closed(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(QrngError) as caught:
        load_profile(file)
    assert caught.value.reason is QrngReason.DENIED
    assert "may not be read" in caught.value.detail


def test_a_file_that_is_no_text_is_refused(file):
    file.write_bytes(b"\xff\xfe\x00")
    assert "not a text in UTF-8" in refused(file).detail


def test_a_claim_is_the_decimal_that_is_written(file):
    file.write_text(PACKET.replace("0.5", "0.1"))
    assert load_profile(file).sample.credit * 10 == 8


@pytest.mark.parametrize("name", NAMES)
def test_spelling_and_order_do_not_matter(name, file):
    def respelled(value):
        if isinstance(value, dict):
            return {key: respelled(each) for key, each in reversed(value.items())}
        if isinstance(value, list):
            return [respelled(each) for each in value]
        is_hex = isinstance(value, str) and all(len(part) == 2 and part.isalnum() for part in value.split())
        return value.upper().replace(" ", "") if is_hex else value

    assert load_profile(written(file, respelled(TREES[name]))) == load_profile(SHIPPED / f"{name}.toml")


class Time:
    now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds + 1e-6


def works_or_says_why(profile):
    """A profile that loads either works on the chip that it describes, or is refused in the way of a driver."""
    time = Time()
    chip = ProfiledChip(profile, bus=EmulatedChip(profile, noise=seeded(1)), clock=time, sleep=time.sleep)
    with contextlib.suppress(QrngError):
        assert 0 < chip.open().credit <= 7.2
        assert len(chip.read(300)) == 300
    chip.close()


def places(tree, path=()):
    yield path
    if isinstance(tree, dict | list):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield from places(tree[key], (*path, key))


LEAVES = (
    st.integers(-2, 5000)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Z")), max_size=8)
    | st.binary(max_size=4).map(bytes.hex)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["tx", "index"]), inner)
)


@st.composite
def mutated(draw):
    tree = json.loads(json.dumps(TREES[draw(st.sampled_from(NAMES))]))
    for _ in range(draw(st.integers(1, 2))):
        *parents, key = draw(st.sampled_from([path for path in places(tree) if path]))
        holder = tree
        for parent in parents:
            holder = holder[parent]
        act = draw(st.sampled_from(["replace", "delete", "misspell", "nudge"]))
        if act == "replace":
            holder[key] = draw(VALUES)
        elif act == "nudge" and isinstance(holder[key], int):
            holder[key] += draw(st.integers(-3, 3))
        elif act == "misspell" and isinstance(key, str):
            holder[key[:-1] + draw(st.sampled_from("xyz"))] = holder.pop(key)
        else:
            del holder[key]
    return tree


FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FAST
@given(tree=mutated())
def test_a_changed_profile_loads_and_works_or_is_refused_in_one_line(file, tree):
    written(file, tree)
    try:
        profile = load_profile(file)
    except QrngError:
        refused(file)
    else:
        works_or_says_why(profile)


@FAST
@given(name=st.sampled_from(NAMES), at=st.integers(0, 10**6), size=st.integers(0, 9), new=st.binary(max_size=9))
def test_a_damaged_file_loads_and_works_or_is_refused_in_one_line(file, name, at, size, new):
    data = (SHIPPED / f"{name}.toml").read_bytes()
    at %= len(data)
    file.write_bytes(data[:at] + new + data[at + size :])
    try:
        profile = load_profile(file)
    except QrngError:
        refused(file)
    else:
        works_or_says_why(profile)
