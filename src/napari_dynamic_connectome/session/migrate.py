"""Migration of older session schemas, one version at a time; newer ones are refused.

A migration takes the whole JSON of one version and returns that of the next; arrays stay as they are. Released versions are
never changed: `tests/session/fixtures` holds a session of each, which the tests open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model.errors import FormatError

SCHEMA_VERSION = 8

Migration = Callable[[dict[str, Any]], dict[str, Any]]


def check_version(version: Any) -> int:
    """Return a schema version that can be read, or raise `FormatError`."""
    if not isinstance(version, int) or isinstance(version, bool) or version < min(MIGRATIONS):
        raise FormatError("the session does not say a schema version that was ever released", fix="Use a backup.")
    if version > SCHEMA_VERSION:
        raise FormatError(
            f"the session has schema version {version}; this program knows up to {SCHEMA_VERSION}",
            fix="Update napari-dynamic-connectome.",
        )
    return version


def migrate(body: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of a session as the present schema has it."""
    for version in range(check_version(body.get("schema_version")), SCHEMA_VERSION):
        body = MIGRATIONS[version](body) | {"schema_version": version + 1}
    return body


def _from_0(body: dict[str, Any]) -> dict[str, Any]:
    """Version 0 (the draft): no identity, no history of saves, edits without an action, no names for the chosen kind."""

    def with_action(edit: dict[str, Any]) -> dict[str, Any]:
        text = str(edit.get("text", ""))
        return edit | {"action": next((a for a in ("undo", "redo") if text.startswith(f"{a}: ")), "edit")}

    new = dict(body)
    new.setdefault("uid", f"draft-{body.get('saved', '')}")
    new.setdefault("revisions", [])
    for kind in ("trail", "done", "undone"):
        new[kind] = [with_action(e) for e in body.get(kind, [])]
    return new


def _from_1(body: dict[str, Any]) -> dict[str, Any]:
    """Version 1: all worms take part; no traces before correction, no view."""
    return {"left_out": [], "raw": {}, "view": {}} | body


def _from_2(body: dict[str, Any]) -> dict[str, Any]:
    """Version 2: nothing known about chance."""
    return {"surrogates": []} | body


def _from_3(body: dict[str, Any]) -> dict[str, Any]:
    """Version 3: the edits were called a trail, and the breaks of a recording seams."""

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(v) for v in value]
        if isinstance(value, dict):
            names = {"seams": "breaks"} if "traces" in value else {}
            return {names.get(k, k): renamed(v) for k, v in value.items()}
        return value

    new: dict[str, Any] = renamed(body)
    return {"history": new.get("trail", [])} | {k: v for k, v in new.items() if k != "trail"}


def _from_4(body: dict[str, Any]) -> dict[str, Any]:
    """Version 4: the history held no opened and closed recordings, results and chosen ranks."""
    return dict(body)


def _from_5(body: dict[str, Any]) -> dict[str, Any]:
    """Version 5: no switching states."""
    return {"states": None} | body


def _from_6(body: dict[str, Any]) -> dict[str, Any]:
    """Version 6: no static methods, no signed loadings."""
    return {"baselines": None, "signed": None} | body


def _from_7(body: dict[str, Any]) -> dict[str, Any]:
    """Version 7: no named groups of neurons."""
    return {"groups": {}} | body


MIGRATIONS: dict[int, Migration] = {
    0: _from_0, 1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4, 5: _from_5, 6: _from_6, 7: _from_7
}  # fmt: skip
"""Schema version -> what turns its JSON into that of the next version."""
