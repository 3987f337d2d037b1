"""XML without entities: GraphML and OME-XML are parsed by this one function."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..model.errors import FormatError
from . import limits
from .files import summary
from .format import without_mark

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def root_name(start: bytes) -> str:
    """Return the name of the first element, lower case, by the first bytes of a file; "" where they are not XML.

    Parameters
    ----------
    start : bytes
    """
    if not without_mark(start).startswith(b"<"):
        return ""
    found = re.search(rb"<([A-Za-z_][\w:.-]*)", start)
    return found[1].rsplit(b":", 1)[-1].lower().decode() if found else "graphml"


def parse(content: bytes, where: str) -> Element:
    """Parse XML; a document type with entities (which can read files, or grow without end) is refused.

    Parameters
    ----------
    content : bytes
    where : str
        The file, for messages.

    Returns
    -------
    Element
        Tags as "{namespace}name".
    """
    from xml.etree.ElementTree import TreeBuilder
    from xml.parsers import expat

    limits.check_size(len(content), limits.MAX_TABLE_BYTES, where, "the XML")
    builder = TreeBuilder()
    parser = expat.ParserCreate(None, "}")
    depth = 0

    def qualified(name: str) -> str:
        return "{" + name if "}" in name else name

    def start(name: str, attrs: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > limits.MAX_NESTING:
            raise FormatError(
                f"the XML is nested more than {limits.MAX_NESTING} deep",
                where=where,
                fix="It may be damaged or cut off; copy or export it again.",
            )
        builder.start(qualified(name), {qualified(k): v for k, v in attrs.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(qualified(name))

    def refuse(*_: Any) -> int:
        raise FormatError("the XML declares entities", where=where, fix="Remove the <!DOCTYPE> part; it is not needed.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(content, True)
        return builder.close()
    except FormatError:
        raise
    except Exception as error:
        raise FormatError(
            f"this is not well-formed XML ({summary(error)})",
            where=where,
            fix="It may be damaged or cut off; copy or export it again.",
        ) from error
