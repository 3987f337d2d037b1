"""Fill the tables of docs/pages/formats.md: the registry's formats, the limits, and what bad files answer.

Run it after a change to io/ or tests/io/broken.py: `python docs/make_formats.py`.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
import warnings
from pathlib import Path

from napari_dynamic_connectome.io import limits
from napari_dynamic_connectome.io.registry import all_formats
from napari_dynamic_connectome.model import InputError

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "pages" / "formats.md"
COUNTS = ("MAX_EXPANSION", "MAX_MEMBERS", "MAX_SPARSE", "MAX_NEURONS", "MAX_DASK_CHUNKS", "MAX_NESTING")


def load_cases() -> object:
    """Import tests/io/broken.py, which is no package."""
    spec = importlib.util.spec_from_file_location("broken_files", ROOT / "tests" / "io" / "broken.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["broken_files"] = module
    spec.loader.exec_module(module)
    return module


def cell(text: str) -> str:
    """Escape what would end a table cell."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ").replace("*", "\\*")


def formats() -> str:
    """Return the table of formats."""
    lines = ["| format | files | read as | written as | extra | |", "|---|---|---|---|---|---|"]
    for form in all_formats():
        files = ", ".join(f"`{p}`" for p in form.patterns)
        extra = f"`[{form.extra}]`" if form.extra else ""
        lines.append(
            f"| {form.title} | {files} | {', '.join(form.holds)} | {', '.join(form.writes)} | {extra} | {form.note} |"
        )
    return "\n".join(lines)


def limit_table() -> str:
    """Return the table of limits, with the sentences below them in the source."""
    source = (ROOT / "src" / "napari_dynamic_connectome" / "io" / "limits.py").read_text(encoding="utf-8")
    found = re.findall(r'^([A-Z_]+) = [^\n]*\n"""(.*?)"""', source, flags=re.M | re.S)
    lines = ["| limit | value | what |", "|---|---|---|"]
    for name, text in found:
        value = getattr(limits, name)
        shown = f"{value:,}" if name in COUNTS or value < 1 << 20 else f"{value / (1 << 20):,.0f} MiB"
        lines.append(f"| `{name}` | {shown} | {cell(text)} |")
    return "\n".join(lines)


def bad_files() -> str:
    """Return the table of bad files with the messages they really give."""
    files = load_cases()
    lines = ["| format | what is wrong | message (after the file's name) |", "|---|---|---|"]
    for case in files.BROKEN:  # type: ignore[attr-defined]
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                case.build(Path(folder))()
            except InputError as error:
                message = str(error).replace(error.where + ": ", "", 1).replace(folder, "…")
            else:
                raise SystemExit(f"{case.name} gives no error")
        lines.append(f"| {case.format} | {cell(case.what)} | {cell(message)} |")
    return "\n".join(lines)


def odd_files() -> str:
    """Return the table of files that look odd and are read."""
    files = load_cases()
    lines = ["| format | what is odd |", "|---|---|"]
    lines += [f"| {case.format} | {cell(case.what)} |" for case in files.ODD]  # type: ignore[attr-defined]
    return "\n".join(lines)


def main() -> None:
    """Replace what stands between the markers of the page."""
    page = PAGE.read_text(encoding="utf-8")
    for name, table in (("formats", formats()), ("limits", limit_table()), ("bad", bad_files()), ("odd", odd_files())):
        pattern = re.compile(rf"(% begin {name}\n).*?(% end {name}\n)", flags=re.S)
        if not pattern.search(page):
            raise SystemExit(f"{PAGE} has no markers for '{name}'")
        page = pattern.sub(lambda m, t=table: f"{m.group(1)}\n{t}\n\n{m.group(2)}", page)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
