"""Settings of the lens as a command line chooses them: its flags, before a preset's, before the defaults."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from wideopen.session.settings import LensSettings

PresetName = Annotated[
    str | None,
    typer.Option("--preset", help="Settings of the lens from a preset that ships (paper, ...) or a .json file."),
]


def lens_settings(
    context: typer.Context, preset: str | None, values: dict[str, Any], beneath: dict[str, Any] | None = None
) -> "LensSettings":
    """`values` are those of the command's parameters, by name; a preset goes before those that nobody typed.

    `beneath` goes before the defaults of LensSettings only. Raises InvalidInput.
    """
    from wideopen.session.presets import read_preset
    from wideopen.session.settings import LensSettings

    if preset is None:
        return LensSettings(**(beneath or {}) | values)
    typed = {name: value for name, value in values.items() if _was_typed(context, name)}
    return read_preset(preset).settings(typed, beneath)


def _was_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"
