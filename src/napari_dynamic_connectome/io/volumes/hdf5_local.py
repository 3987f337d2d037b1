"""HDF5 files in which links to other files are as if they were not there, however they are asked for.

A link, or a link to a link, can name any file of the machine or of the network; h5py opens it when its name is only looked for.
"""

from __future__ import annotations

from typing import Any

import h5py

MAX_HOPS = 16
"""So many soft links may lead one to the next."""


class _Local:
    """What a group answers when it is asked for a member: only what lies in its own file."""

    def __getitem__(self, name: Any) -> Any:
        if not isinstance(name, (str, bytes)):
            return _wrapped(super().__getitem__(name))  # type: ignore[misc]
        found = _find(self, _text(name), MAX_HOPS)
        if found is None:
            raise KeyError(f"'{_text(name)}' is not in this file")
        return found

    def __contains__(self, name: Any) -> bool:
        return isinstance(name, (str, bytes)) and _find(self, _text(name), MAX_HOPS) is not None

    def get(self, name: Any, default: Any = None, getclass: bool = False, getlink: bool = False) -> Any:
        """As h5py's; a link itself can be looked at, wherever it leads."""
        if getlink:
            return _link(self, _text(name)) or default
        try:
            found = self[name]
        except KeyError:
            return default
        return type(found) if getclass else found


class LocalGroup(_Local, h5py.Group):
    """A group of a `LocalFile`."""


class LocalFile(_Local, h5py.File):
    """A file that answers only for itself."""


def _text(name: Any) -> str:
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)


def _wrapped(node: Any) -> Any:
    return LocalGroup(node.id) if isinstance(node, h5py.Group) and not isinstance(node, _Local) else node


def _link(group: Any, name: str) -> Any:
    """Return the link of one member, None if there is none; nothing is followed."""
    links, key = group.id.links, name.encode("utf-8", "surrogateescape")
    if not links.exists(key):
        return None
    kind = links.get_info(key).type
    if kind == h5py.h5l.TYPE_SOFT:
        return h5py.SoftLink(_text(links.get_val(key)))
    if kind == h5py.h5l.TYPE_EXTERNAL:
        file, path = links.get_val(key)
        return h5py.ExternalLink(_text(file), _text(path))
    return h5py.HardLink()


def _find(group: Any, path: str, hops: int) -> Any:
    """Return what lies at a path, or None; part by part, so that no link to another file is followed on the way."""
    node: Any = group
    if path.startswith("/"):
        node = LocalGroup(h5py.h5o.open(group.id, b"/"))
    for part in (p for p in path.split("/") if p not in ("", ".")):
        if not isinstance(node, h5py.Group):
            return None
        link = _link(node, part)
        if link is None or isinstance(link, h5py.ExternalLink):
            return None
        if isinstance(link, h5py.SoftLink):
            node = _find(node, link.path, hops - 1) if hops else None
        else:
            node = _wrapped(h5py.Group.__getitem__(node, part))
        if node is None:
            return None
    return node
