"""The command line: one file per group of commands, with heavy imports inside the commands.

Exit codes: 0 success, 1 a bug in wideopen, 2 bad input. An error is one line on stderr: what, expected, found. A
list may follow it.
"""

import atexit
import io
import os
import shlex
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from wideopen.cli import batch, evaluate, info, maps, render, serve, train
from wideopen.cli.terminal import warn
from wideopen.errors import WideopenError
from wideopen.memory import keep_freed_memory

app = typer.Typer(
    help="Turn a sharp portrait into a photo as if taken with a fast lens wide open.",
    invoke_without_command=True,
    rich_markup_mode=None,  # importing rich for boxes around the help would take as long as everything else
    pretty_exceptions_enable=False,
)
for command in (
    render.render, batch.batch, maps.matte, maps.depth, serve.serve, info.info, maps.extract, evaluate.tune,
    evaluate.reproduce, serve.studio,
):  # fmt: skip
    app.command(command.__name__)(command)
app.add_typer(train.app, name="train")
app.add_typer(train.export_app, name="export")
app.add_typer(evaluate.app, name="eval")


@app.callback()
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Turn a sharp portrait into a photo as if taken with a fast lens wide open."""
    if version:
        from wideopen import __version__

        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command line, by default this process's, and exit with its code.

    Prints no traceback unless WIDEOPEN_DEBUG is set.
    """
    words = sys.argv[1:] if arguments is None else arguments
    keep_freed_memory()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads spin, for products that are all small
    if isinstance(sys.stdout, io.TextIOWrapper):  # print file names that are not UTF-8 unchanged
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        result = app(words, prog_name="wideopen", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except WideopenError as error:
        warn(f"wideopen: {error}")
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        warn("wideopen: interrupted")
        code = 130
    except (BrokenPipeError, SystemExit):  # the option parser turns a broken pipe into SystemExit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001  the last line of defence: usage errors, and our own bugs
        code = _last_resort(error, words)
    if arguments is not None:
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)  # Python's own way out takes 0.8 s after a render of 12 megapixels


def run(arguments: list[str]) -> int:
    """`main` without leaving Python: returns the exit code."""
    try:
        main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def _last_resort(error: Exception, arguments: list[str]) -> int:
    if hasattr(error, "format_message"):  # a usage error from the option parser
        message = error.format_message() or "no command given"
        if message.startswith("No such command") and Path(arguments[0]).exists():
            message = f"expected a command, found a file: wideopen render {shlex.quote(arguments[0])}"
        warn(f"wideopen: {message}{_found(error, arguments)}")
        return 2
    if os.environ.get("WIDEOPEN_DEBUG"):
        raise error
    hint = "WIDEOPEN_DEBUG=1 shows the traceback; please report it"
    warn(f"wideopen: unexpected error: {type(error).__name__}: {error} ({hint})")
    return 1


def _found(error: Exception, arguments: list[str]) -> str:
    """Return the invalid value of the option in a usage error, which the parser's message does not have."""
    names = getattr(getattr(error, "param", None), "opts", ())
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--") else [word])]
    return next((f", found {value!r}" for name, value in pairwise(words) if name in names), "")
