from edge.attest.tree import Tree

PLACES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""In the order in which the manager looks (systemd.unit(5))."""


def unit_text(tree: Tree, unit: str) -> str | None:
    """The unit file that counts; None where it is not installed."""
    texts = (tree.text(f"{place}/{unit}.service") for place in PLACES)
    return next((text for text in texts if text is not None), None)
