from edge.configuration.keys import all_keys

HEAD = "| key | of | can be | by default | meaning |\n|---|---|---|---|---|"


def markdown_table() -> str:
    """Every key in one table, as docs/configuration.md has it; a key that means the same in several kinds once."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for key in all_keys():
        rows.setdefault((key.place, key.range, key.default, key.meaning), []).append(key.kind)
    lines = [
        f"| `{place}` | {', '.join(filter(None, kinds))} | {can} | {default} | {meaning} |".replace("|  |", "| |")
        for (place, can, default, meaning), kinds in rows.items()
    ]
    return "\n".join((HEAD, *lines)) + "\n"
