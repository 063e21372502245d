"""Write docs/cli.md, the arguments and options of every command, from the program itself.

Run: python scripts/cli_reference.py. With --check it compares the page with the program and exits 1 if they differ.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from wideopen.cli import app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
KINDS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
HEAD = """# Commands

Made by `scripts/cli_reference.py` from the program itself. Exit codes: 0 success, 1 unexpected error, 2 bad input, 130
interrupted. An error is one line on stderr: what, expected, found.
"""


def commands(command: Any, words: tuple[str, ...] = ("wideopen",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words, command) of each command that can be run, including those in groups."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name, child in inner.items():
        yield from commands(child, (*words, name))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if callable(value) or value is None or value == () or (getattr(parameter, "is_flag", False) and not value):
        return ""
    return f"`{value}`"


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
    else:
        name = ", ".join([*parameter.opts, *parameter.secondary_opts])
        if not parameter.is_flag:
            kind = parameter.type_descriptor.annotation
            name += f" {KINDS.get(kind, getattr(kind, '__name__', 'TEXT').upper())}"
    return f"| `{_cell(name)}` | {_cell(getattr(parameter, 'help', None) or '')} | {_default(parameter)} |"


def page() -> str:
    """The page as the program is now. Options that `render` or an earlier command of the group has are listed there."""
    parts = [HEAD]
    first: dict[str, tuple[str, ...]] = {}  # the command that has a row first
    for words, command in commands(typer.main.get_command(app)):
        rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
        known = {row for row in rows if first.get(row, ("", ""))[1] in ("render", words[1]) and row.startswith("| `-")}
        own = [row for row in rows if row not in known or row.endswith("| required |")]
        text = "\n\n".join(" ".join(block.split()) for block in (command.help or "").split("\n\n"))
        parts.append(f"## `{' '.join(words)}`\n\n{text}\n")
        if own:
            parts.append("| | | default |\n|---|---|---|\n" + "\n".join(own) + "\n")
        for earlier in dict.fromkeys(first[row] for row in rows if row not in own):
            names = [_flag(row) for row in rows if row not in own and first[row] == earlier]
            others = [_flag(row) for row in first if first[row] == earlier and row not in rows and "`-" in row]
            which = ", ".join(names) if len(names) <= len(others) else f"all options except {', '.join(others)}"
            parts.append(f"As for `{' '.join(earlier)}`: {which}.\n")
        first = first | dict.fromkeys((row for row in rows if row not in first), words)
    return "\n".join(parts)


def _flag(row: str) -> str:
    """The first name in an option's row: `--blur`."""
    return f"`{row.split('`')[1].split(',')[0].split(' ')[0]}`"


def main() -> None:
    """Write the page, or compare it with the program."""
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        raise SystemExit(f"{PAGE.name}: differs from the program; python scripts/cli_reference.py rewrites it")


if __name__ == "__main__":
    main()
