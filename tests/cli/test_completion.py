"""The script that completes commands, run by a real shell."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.cli.command_line import build_parser


def commands() -> list[str]:
    (action,) = [
        a
        for a in build_parser()._actions
        if a.dest == "command" or (hasattr(a, "choices") and a.choices and "run" in a.choices)
    ]
    return list(action.choices)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], None),
        (["ru"], {"run"}),
        (["export", "--gr"], {"--graphml"}),
        (["settings", "x", "--ver"], {"--verbose"}),
        (["movie", "--movement", ""], {"time", "turn", "both"}),
    ],
)
def test_bash_completes(words: list[str], expected: set[str] | None, capsys) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    line = " ".join(f"'{w}'" for w in ["dynamic-connectome", *words])
    ask = f"""
COMP_WORDS=({line}); COMP_CWORD={len(words)}
_shtab_dynamic_connectome; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script + ask], capture_output=True, text=True, check=True)
    found = {line.strip() for line in done.stdout.splitlines() if line.strip()}
    assert not done.stderr
    assert found == expected if expected is not None else set(commands()) <= found


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_a_script_with_every_command(shell: str, capsys) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in commands())
