import re
import shutil
import subprocess
from dataclasses import fields, replace
from fractions import Fraction

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import make_report

from edge.entropy.source import State
from edge.metrics.capture import CAPTURE_METRICS, CaptureFigures, capture_families, capture_text
from edge.metrics.exposition import Metric, each, one, one_of, render
from edge.metrics.relay import RELAY_METRICS, STATES, RelayFigures, relay_families, relay_text
from wire.schema import Health

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
GAUGE = Metric("speckled_things", "gauge", "Things.")
RELAY = RelayFigures(
    software="speckled 1.2",
    health=Health(
        session="a",
        made=6,
        dropped=1,
        spooled=0,
        accepted=5,
        sent=7,
        acknowledged=3,
        waiting=2,
        evicted={"size": 0, "age": 1},
        lost=0,
        set_aside=0,
        refused={"schema": 1, "signature": 2},
        forked=0,
        capture=True,
        released={"day": 1, "hours": 4},
        epsilon=1.0,
    ),
    word=make_report("cam", KEY)[0],
    since_accepted=12.5,
    absent=0.0,
    connections=3,
    outbox_bytes=4096,
    outbox_limit=1 << 30,
    oldest=30.25,
    certificate_expiry=1.9e9,
    windows={"day": 86400.0},
)
CAPTURE = CaptureFigures(
    software="speckled 1.2",
    frames=100,
    frame_time=1.7e9,
    gaps=1,
    recoveries=0,
    opened={"day": 1, "hours": 9},
    released={"day": 0, "hours": 8},
    charged={"day": 1, "hours": 9},
    position=11,
    epsilon={"place": Fraction(1)},
    entropy=State.HEALTHY,
    drawn=9600,
    credit=Fraction(4),
    retests=0,
    resident=90_000_000,
    pings=3,
)


def test_a_metric_is_its_help_its_type_and_its_samples():
    assert (
        render([one(GAUGE, 3)]) == "# HELP speckled_things Things.\n# TYPE speckled_things gauge\nspeckled_things 3\n"
    )


def test_what_is_not_known_is_not_shown():
    assert render([one(GAUGE, None), each(GAUGE, "kind", {}), one_of(GAUGE, "state", ("a", "b"), None)]) == ""


def test_labels_and_help_are_escaped_as_the_format_asks():
    metric = Metric("speckled_odd", "gauge", 'A \\ and a\nline feed, not a "quote".')
    text = render([each(metric, "path", {'C:\\a\n"b"': 1})])
    assert '# HELP speckled_odd A \\\\ and a\\nline feed, not a "quote".\n' in text
    assert 'speckled_odd{path="C:\\\\a\\n\\"b\\""} 1\n' in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "1"),
        (0, "0"),
        (-3, "-3"),
        (0.5, "0.5"),
        (1e-9, "1e-09"),
        (2.0**70, "1180591620717411303424"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers_are_written_so_that_prometheus_reads_them(value, text):
    assert render([one(GAUGE, value)]).splitlines()[-1] == f"speckled_things {text}"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("speckled_x", "counter"), ("speckled_x_total", "gauge"), ("Speckled", "gauge"), ("a:b", "gauge")],
)
def test_a_name_that_breaks_the_rules_is_refused(name, kind):
    with pytest.raises(ValueError, match="cannot name"):
        Metric(name, kind, "Nothing.")


def test_a_state_is_one_sample_for_each_state_there_is():
    text = relay_text(RELAY)
    lines = [line for line in text.splitlines() if line.startswith("speckled_capture_state{")]
    assert len(lines) == len(STATES) > 1
    assert 'speckled_capture_state{state="observing"} 1' in lines
    assert sum(int(line[-1]) for line in lines) == 1


def test_counters_by_cause_are_there_before_their_first_step():
    text = relay_text(RELAY)
    assert 'speckled_observations_evicted_total{cause="size"} 0' in text
    assert 'speckled_observations_refused_total{reason="equivocation"} 0' in text
    assert 'speckled_observations_refused_total{reason="signature"} 2' in text


@pytest.mark.parametrize(
    ("families", "metrics"),
    [(relay_families(RELAY), RELAY_METRICS), (capture_families(CAPTURE), CAPTURE_METRICS)],
    ids=["relay", "capture"],
)
def test_every_metric_that_is_named_is_exposed_once_and_in_order(families, metrics):
    assert [family.metric for family in families if family.samples] == list(metrics)
    assert len({metric.name for metric in metrics}) == len(metrics)


def test_no_two_metrics_of_the_device_share_a_name():
    names = [metric.name for metric in (*RELAY_METRICS, *CAPTURE_METRICS)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("metric", [*RELAY_METRICS, *CAPTURE_METRICS], ids=lambda metric: metric.name)
def test_a_metric_has_our_prefix_a_base_unit_and_a_sentence_of_help(metric):
    assert metric.name.startswith("speckled_")
    assert re.fullmatch(r"[^\n]{3,100}\.", metric.help)
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|kib|mb|mib|percent)(_|$)", metric.name)


@pytest.mark.parametrize("metric", CAPTURE_METRICS, ids=lambda metric: metric.name)
def test_a_metric_of_capture_says_why_it_depends_on_no_pixel(metric):
    assert metric.independent


def test_a_level_appears_by_its_name():
    text = capture_text(CAPTURE)
    assert 'speckled_windows_released_total{level="hours"} 8\n' in text
    assert 'speckled_ledger_charges{level="day"} 1\n' in text
    assert 'speckled_visit_epsilon{profile="place"} 1\n' in text


def test_a_camera_process_that_has_just_started_says_only_what_it_knows():
    text = capture_text(CaptureFigures(software="speckled 1.2", frames=0))
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert names == {"speckled_capture_build_info", "speckled_frames_taken_total"}


def test_figures_of_capture_hold_numbers_and_names_only():
    for field in fields(CAPTURE):
        value = getattr(CAPTURE, field.name)
        assert isinstance(value, str | int | float | Fraction | dict), field.name
    assert replace(CAPTURE, frames=101) != CAPTURE


def test_promtool_has_nothing_to_say_against_the_figures():
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs promtool: apt install prometheus")
    text = relay_text(RELAY) + capture_text(CAPTURE)
    done = subprocess.run([program, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
