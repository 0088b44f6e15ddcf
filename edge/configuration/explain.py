"""What a key means, what it can be, and what it is now."""

import difflib
from collections.abc import Sequence
from typing import Any

from edge.configuration.keys import Key, all_keys, toml_value
from edge.errors import ConfigError, Reason
from wire.layers import CHOICE, Layers
from wire.lines import Place, steps


def explain(wanted: str, layers: Layers | None) -> str:
    """Each key of a name: in full, its last words, or all of a section. layers: of a device, for what holds there.

    Raises:
        ConfigError: no key is of that name; with those that it could have been.
    """
    keys = all_keys()
    place = wanted.replace("entropy.partners[]", "qrng")
    found = [key for key in keys if key.place == place or key.place.startswith((f"{place}.", f"{place}[]."))]
    found = found or [key for key in keys if key.place.endswith(f".{place}")]
    if not found:
        raise no_such_key(wanted, [key.place for key in keys])
    return "\n".join(_explained(key, layers) for key in found)


def no_such_key(wrong: str, known: Sequence[str]) -> ConfigError:
    """What is said of a name that nothing has, with up to three that are like it."""
    last = wrong.rpartition(".")[2]
    by_last = {key.rpartition(".")[2]: key for key in reversed(known)}
    near = difflib.get_close_matches(wrong, known, n=3)
    near += [by_last[word] for word in difflib.get_close_matches(last, by_last, n=3)]
    named = " or ".join(f"`{key}`" for key in dict.fromkeys(near[:3]))
    remedy = f"did you mean {named}?" if near else "`speckled config show` has all"
    return ConfigError(Reason.CONFIG, f"there is no key `{wrong}`", remedy)


def _explained(key: Key, layers: Layers | None) -> str:
    heading = f'{key.place} (driver = "{key.kind}")' if key.kind else key.place
    default = "required" if key.default == "required" else f"default {key.default}"
    lines = [heading, f"  {key.meaning}", f"  {key.range}; {default}"]
    if layers is not None and "[]" not in key.place and (now := _now(key, layers)):
        lines.append(f"  now {now}")
    return "\n".join(lines) + "\n"


def _now(key: Key, layers: Layers) -> str:
    """The present value and where it comes from, right or wrong; empty for a kind that is not there."""
    tree, path = layers.tree, steps(key.place)
    table = _at(tree, path[:-1])
    if key.kind and not (isinstance(table, dict) and table.get(CHOICE) == key.kind):
        return ""
    value, origin = _at(tree, path), layers.origin(path)
    if origin is not None:
        return f"{toml_value(value)}, from {origin}"
    return "" if key.default == "required" else f"{key.default}, the default"


def _at(tree: Any, path: Place) -> Any:
    for step in path:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree
