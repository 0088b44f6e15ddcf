"""The alert rules and the dashboard that are shipped, against what the code exposes."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from edge.entropy.source import State
from edge.metrics.capture import CAPTURE_METRICS
from edge.metrics.relay import ENTROPY, REASONS, RELAY_METRICS, STATES

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "systemd" / "prometheus" / "speckled.rules.yml"
BOARD = json.loads((ROOT / "systemd" / "grafana" / "speckled.json").read_text(encoding="utf-8"))
ALERTS = [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
EXPOSED = {metric.name: metric for metric in (*RELAY_METRICS, *CAPTURE_METRICS)}
OTHERS = {"up", "node_textfile_mtime_seconds"}
"""What Prometheus and node_exporter have themselves."""
FUNCTIONS = {"increase", "rate", "sum", "min", "time", "label_values"}
WORDS = {"by", "on", "unless", "or", "instance", "job", "level", "state", "reason", "file"}
VALUES = {
    "speckled_capture_state": {"state": set(STATES)},
    "speckled_capture_entropy_state": {"state": set(ENTROPY)},
    "speckled_entropy_state": {"state": {state.value for state in State}},
    "speckled_observations_refused_total": {"reason": set(REASONS)},
}
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [(alert["alert"], alert["expr"]) for alert in ALERTS] + [
    (panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]
]


def names_in(expression):
    """Metric names in a PromQL expression: identifiers outside of selectors, durations and texts."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", " ", expression)
    return set(re.findall(r"[a-zA-Z_][a-zA-Z0-9_]*", bare)) - FUNCTIONS - WORDS


@pytest.mark.parametrize(("title", "expression"), QUERIES)
def test_a_query_uses_only_figures_that_are_exposed(title, expression):
    names = names_in(expression)
    assert names
    assert names <= EXPOSED.keys() | OTHERS


@pytest.mark.parametrize(("title", "expression"), QUERIES)
def test_a_query_treats_counters_as_counters(title, expression):
    for name in re.findall(r"(?:rate|increase)\(([a-z_]+)", expression):
        assert EXPOSED[name].kind == "counter"


@pytest.mark.parametrize(("title", "expression"), QUERIES)
def test_a_selector_asks_for_values_that_there_can_be(title, expression):
    for name, selector in re.findall(r"(speckled_[a-z_]+)\{([^}]*)\}", expression):
        for label, value in re.findall(r"([a-z]+)!?=\"([^\"]*)\"", selector):
            assert value in VALUES[name][label]


def test_every_figure_that_can_go_wrong_is_watched_by_a_rule():
    watched = set().union(*(names_in(alert["expr"]) for alert in ALERTS))
    assert watched >= {
        "up",
        "speckled_broker_absent_seconds",
        "speckled_since_accepted_seconds",
        "speckled_capture_entropy_state",
        "speckled_outbox_bytes",
        "speckled_observations_evicted_total",
        "speckled_observations_dropped_total",
        "speckled_observations_lost",
        "speckled_certificate_expiry_timestamp_seconds",
    }


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_what_is_the_matter_and_what_to_do(alert):
    assert re.fullmatch(r"Speckled[A-Za-z]+", alert["alert"])
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert alert["annotations"].keys() == {"summary", "runbook"}
    assert alert["annotations"]["summary"].endswith(".")
    assert len(alert["annotations"]["runbook"]) > 60
    for page in re.findall(r"docs/[a-z-]+\.md", alert["annotations"]["runbook"]):
        assert (ROOT / page).is_file() or page == "docs/keys.md"


def test_every_alert_is_in_the_documentation():
    page = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
    assert [alert["alert"] for alert in ALERTS if f"`{alert['alert']}`" not in page] == []


def test_every_figure_is_in_the_documentation_with_its_meaning():
    page = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
    for metric in RELAY_METRICS:
        assert f"| `{metric.name}` | {metric.kind} | {metric.help} |" in page
    for metric in CAPTURE_METRICS:
        assert f"| `{metric.name}` | {metric.kind} | {metric.help} | {metric.independent} |" in page
    told = set(re.findall(r"^\| `(speckled_[a-z_]+)`", page, re.MULTILINE))
    assert told == EXPOSED.keys()


def test_the_dashboard_has_panels_that_do_not_overlap_and_whose_names_differ():
    taken = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        spots = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not spots & taken
        assert place["x"] + place["w"] <= 24
        taken |= spots
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)


def test_the_dashboard_uses_the_variables_that_it_defines():
    defined = {variable["name"] for variable in BOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\}?", json.dumps(BOARD["panels"])))
    assert used == defined
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            assert names_in(variable["definition"]) <= EXPOSED.keys()


def promtool(*arguments):
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs promtool: apt install prometheus")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_promtool_takes_the_rules():
    checked = promtool("check", "rules", str(RULES))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in checked.stdout


CASES = [
    ("SpeckledRelayDown", {'up{job="speckled", instance="a"}': "0x60"}, "30m", True),
    ("SpeckledRelayDown", {'up{job="speckled", instance="a"}': "1x60"}, "30m", False),
    ("SpeckledBrokerAbsent", {'speckled_broker_absent_seconds{instance="a"}': "0+60x120"}, "90m", True),
    ("SpeckledBrokerAbsent", {'speckled_broker_absent_seconds{instance="a"}': "0+60x120"}, "50m", False),
    (
        "SpeckledNothingObserved",
        {
            'speckled_since_accepted_seconds{instance="a", job="j"}': "0+60x600",
            'speckled_window_seconds{instance="a", job="j", level="hours"}': "10800x600",
            'speckled_window_seconds{instance="a", job="j", level="day"}': "86400x600",
        },
        "400m",
        True,
    ),
    (
        "SpeckledNothingObserved",
        {
            'speckled_since_accepted_seconds{instance="a", job="j"}': "0+60x600",
            'speckled_window_seconds{instance="a", job="j", level="hours"}': "10800x600",
        },
        "340m",
        False,
    ),
    (
        "SpeckledNothingObserved",
        {
            'speckled_since_accepted_seconds{instance="a", job="j"}': "0+60x600",
            'speckled_window_seconds{instance="a", job="j", level="hours"}': "10800x600",
            'speckled_capture_state{instance="a", job="j", state="switched-off"}': "1x600",
        },
        "400m",
        False,
    ),
    (
        "SpeckledEvictions",
        {
            'speckled_observations_evicted_total{instance="a", job="j", cause="size"}': "0x30 5x60",
            'speckled_observations_evicted_total{instance="a", job="j", cause="age"}': "0x90",
        },
        "40m",
        True,
    ),
    ("SpeckledEvictions", {'speckled_observations_evicted_total{instance="a", cause="size"}': "7x120"}, "90m", False),
    ("SpeckledLost", {'speckled_observations_lost{instance="a"}': "1x60"}, "30m", True),
    ("SpeckledLost", {'speckled_observations_lost{instance="a"}': "0x60"}, "30m", False),
    (
        "SpeckledOutboxFilling",
        {
            'speckled_outbox_bytes{instance="a"}': "90x60",
            'speckled_outbox_limit_bytes{instance="a"}': "100x60",
        },
        "30m",
        True,
    ),
    (
        "SpeckledOutboxFilling",
        {
            'speckled_outbox_bytes{instance="a"}': "70x60",
            'speckled_outbox_limit_bytes{instance="a"}': "100x60",
        },
        "30m",
        False,
    ),
    ("SpeckledEntropyFailed", {'speckled_capture_entropy_state{instance="a", state="failed"}': "1x60"}, "5m", True),
    (
        "SpeckledCertificateExpires",
        {'speckled_certificate_expiry_timestamp_seconds{instance="a"}': "1e6x60"},
        "5m",
        True,
    ),
    (
        "SpeckledCertificateExpires",
        {'speckled_certificate_expiry_timestamp_seconds{instance="a"}': "2e6x60"},
        "5m",
        False,
    ),
]


def test_each_rule_fires_when_it_should_and_not_otherwise(tmp_path):
    cases = []
    for name, series, when, fires in CASES:
        cases.append(
            {
                "interval": "1m",
                "input_series": [{"series": each, "values": values} for each, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)',
                        "eval_time": when,
                        "exp_samples": [{"labels": "{}", "value": int(fires)}],
                    }
                ],
            }
        )
    (tmp_path / "tests.yml").write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": cases}))
    done = promtool("test", "rules", str(tmp_path / "tests.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
