"""XML is parsed without entities, up to a depth and a size, and told by its first element."""

from __future__ import annotations

import pytest

from napari_dynamic_connectome.io import limits
from napari_dynamic_connectome.io.markup import parse, root_name
from napari_dynamic_connectome.model.errors import FormatError


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"<graphml xmlns='x'>", "graphml"), (b"<?xml version='1.0'?>\n<GraphML>", "graphml"), (b"\xef\xbb\xbf<OME:OME a='1'/>", "ome"),
        (b"<!-- <old/> --><html>", "old"), (b"<?xml version='1.0'?", "graphml"), (b"graphml", ""), (b" <a>", "a"), (b"", ""),
    ],
)  # fmt: skip
def test_the_first_element_is_named(start: bytes, name: str) -> None:
    assert root_name(start) == name


def test_elements_attributes_and_texts_are_those_of_the_file() -> None:
    root = parse(b"<a xmlns='u' xmlns:v='w' v:k='1' m='2'>x<b/>y<v:c>z</v:c></a>", "here")
    assert root.tag == "{u}a" and dict(root.attrib) == {"{w}k": "1", "m": "2"} and root.text == "x"
    assert [(one.tag, one.text, one.tail) for one in root] == [("{u}b", None, "y"), ("{w}c", "z", None)]
    assert parse(b"<a><b/></a>", "here")[0].tag == "b"


def test_nesting_goes_as_deep_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_NESTING", 3)
    for _ in range(2):  # what was closed does not count
        assert len(parse(b"<a>" + b"<b><c/></b>" * 4 + b"</a>", "here")) == 4
    with pytest.raises(FormatError, match="the XML is nested more than 3 deep"):
        parse(b"<a><b><c><d/></c></b></a>", "here")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "declares entities"), (b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a/>", "declares entities"),
        (b"<a>", "not well-formed"), (b"", "not well-formed"), (b"<a></b>", "not well-formed"), (b"<a>&e;</a>", "not well-formed"),
    ],
)  # fmt: skip
def test_entities_and_broken_xml_are_refused(text: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as raised:
        parse(text, "here")
    assert "here" in str(raised.value)


def test_the_size_is_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 4)
    assert parse(b"<a/>", "here").tag == "a"
    with pytest.raises(FormatError, match="the XML would take"):
        parse(b"<ab/>", "here")
