from collections.abc import Iterable
from html import escape

from edge.entropy.estimators.commission import Commissioning
from edge.entropy.estimators.drawings import agreement, histogram
from edge.entropy.estimators.report import MEANING, device, results, rows, warnings

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --soft: #6b7075; --band: #dbe7f3; --bar: #2b6cb0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e7e5; --paper: #17191c; --soft: #9aa0a6; --band: #233447; --bar: #7db3e8; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.credit { font-size: 2rem; margin: 0; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .2rem .6rem .2rem 0;
  vertical-align: top; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.warning { border-left: 4px solid #b7791f; padding-left: .8rem; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--soft); }
svg line { stroke: var(--soft); } .band { fill: var(--band); } .bars { fill: var(--bar); }
figure { margin: 1rem 0; } figcaption, .soft { color: var(--soft); }
"""


def page(found: Commissioning) -> str:
    """The report as one HTML page that needs nothing else, without scripts; counts and estimates, never samples."""
    credit = dict(results(found))["may be credited"]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Commissioning of {escape(found.identity.model)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Commissioning of {escape(found.identity.model)}</h1>",
        f'<p class="credit">{escape(credit)}</p><p class="soft">may be credited, at most</p>',
        *(f'<p class="warning">{escape(each)}</p>' for each in warnings(found)),
        _pairs(device(found)),
        "<h2>What follows</h2>",
        _pairs(results(found)),
        "<h2>Estimates (SP 800-90B, section 6.3)</h2>",
        _estimates(found),
        "<h2>Two looks at the samples</h2>",
        _figure(histogram(found.counts), "How much commoner or rarer than the mean each value was."),
        _figure(
            agreement(found.counts),
            "How much oftener than by chance a bit equals the one so many bits before. A bias lifts all.",
        ),
        '<p class="soft">The shaded band holds 99 of 100 bars if all values are equally likely and independent.</p>',
        "<h2>What this means, and what not</h2><ul>",
        *(f"<li>{escape(each)}</li>" for each in MEANING),
        "</ul></body></html>\n",
    ]
    return "\n".join(parts)


def _pairs(lines: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in lines)
    return f"<table>{cells}</table>"


def _estimates(found: Commissioning) -> str:
    head = '<tr><th></th><th></th><th class="number">bits per sample</th><th class="number">bits per bit</th></tr>'
    lines = "".join(
        f"<tr><td>{section}</td><td>{escape(name)}</td>"
        f'<td class="number">{whole}</td><td class="number">{bit}</td></tr>'
        for section, name, whole, bit in rows(found)
    )
    return f"<table>{head}{lines}</table>"


def _figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"
