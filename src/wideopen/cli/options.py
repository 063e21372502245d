"""The flags of the commands: those made from settings, and those that concern only files and commands.

`takes` makes a flag of every parameter annotated with its help: `Annotated[Path | None, "Folder for the parts."]`, with
names of its own before that: `Annotated[Path, "-o", "--out", "Map to write."]`.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import typer

from wideopen.options import Option, Settings, options_of
from wideopen.settings import LensSettings, MapSettings, OutputSettings

Command = TypeVar("Command", bound=Callable[..., Any])
Made = TypeVar("Made", bound=Settings)

Photos = Annotated[list[Path], typer.Argument(help="Photos: JPEG, PNG, TIFF, WebP, HEIC, AVIF.")]
OnePhoto = Annotated[Path, typer.Argument(help="Photo: JPEG, PNG, TIFF, WebP, HEIC, AVIF.")]
Matte = Annotated[Path | None, "Matte of the subject: a grey picture of 8 or 16 bits, white = subject."]
MatteHint = Annotated[
    Path | None,
    "Hint for the matting network: a rough mask, scribble or trimap; white = subject, black = not, grey = unknown.",
]
Mattes = Annotated[Path | None, "Folder with a matte for each photo: NAME.png, NAME.tif or NAME.npy."]
MatteHints = Annotated[Path | None, "Folder with matte hints, NAME.png (see --matte-hint); a photo may lack one."]
Disparity = Annotated[Path | None, "Disparity map: a grey PNG or TIFF of 8 or 16 bits, or .npy in [0, 1]; 1 = nearest."]
DepthM = Annotated[Path | None, "Depth map in metres, .npy; disparity = 1 / depth."]
Backend = Annotated[str, "Renderer backend: auto, triton, numba or reference."]
Overwrite = Annotated[bool, "Replace existing results, but never an original."]
Json = Annotated[bool, "--json", "Print one line of JSON per photo instead of text."]
MaxMegapixels = Annotated[float, "Largest photo accepted, in megapixels."]


def _presets() -> list[str]:
    from wideopen.session.presets import shipped

    return shipped()


Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="Preset of lens settings: a shipped one (creamy, mirror, paper, ...) or a .json file.",
        autocompletion=_presets,
    ),
]
DEFAULT_LENS = LensSettings()


def takes(
    *settings: type[Settings] | Settings, after: str = "", only: tuple[str, ...] = (), preset: bool = False
) -> Callable[[Command], Command]:
    """Make flags of a command's parameters, and add those of these settings, which it receives as `**chosen`.

    settings: classes, or instances whose values are the defaults; after: the parameter of the command that the flags
    follow; only: names of the options to use (default: all); preset: also add --preset, for `chosen_lens`.
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [_spelled(one) for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        flags = [_flag(one, group) for group in settings for one in _options(group, only)]
        if preset:
            flags.insert(0, _parameter("preset", None, Preset))
        place = 1 + list(signature.parameters).index(after) if after else len(own)
        parameters = [one.replace(kind=one.KEYWORD_ONLY) for one in (*own[:place], *flags, *own[place:])]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return decorate


def _spelled(one: inspect.Parameter) -> inspect.Parameter:
    """A parameter, a flag if its annotation says no more than names and help."""
    kind, *words = get_args(one.annotation) if get_origin(one.annotation) is Annotated else (None,)
    if not words or not isinstance(words[-1], str):
        return one
    *names, text = words
    if kind is bool and not names:
        word = one.name.replace("_", "-")
        names = [f"--{word}/--no-{word}" if one.default else f"--{word}"]
    return one.replace(annotation=Annotated[kind, typer.Option(*names, help=text)])


def made(settings: type[Made], chosen: dict[str, Any]) -> Made:
    """The settings from a command line, with the defaults of `settings` for flags that the command does not have.

    Raises InvalidInput.
    """
    names = {one.name for one in options_of(settings)}
    return settings(**{name: value for name, value in chosen.items() if name in names})


def chosen_lens(context: typer.Context, chosen: dict[str, Any], defaults: LensSettings = DEFAULT_LENS) -> LensSettings:
    """The lens from a command line: typed flags override the preset's settings, which override `defaults`.

    Raises InvalidInput.
    """
    if chosen["preset"] is None:
        return made(LensSettings, chosen)
    from wideopen.session.presets import read_preset

    names = [one.name for one in options_of(LensSettings) if one.name in chosen]
    typed = {name: chosen[name] for name in names if was_typed(context, name)}
    return read_preset(chosen["preset"]).settings(typed, defaults.to_dict())


def job_of(context: typer.Context, chosen: dict[str, Any], **others: Any) -> Any:
    """The `Job` of a command line that takes lens, maps and output; `others` are its further fields."""
    from wideopen.session.open_photo import Job

    maps, output = made(MapSettings, chosen), made(OutputSettings, chosen)
    return Job(lens=chosen_lens(context, chosen), maps=maps, output=output, **others)


def _options(group: type[Settings] | Settings, only: tuple[str, ...]) -> list[Option]:
    kind = group if isinstance(group, type) else type(group)
    return [one for one in options_of(kind) if one.flag and (not only or one.name in only)]


def _flag(one: Option, group: type[Settings] | Settings) -> inspect.Parameter:
    value = one.default if isinstance(group, type) else getattr(group, one.name)
    default = value if one.text is None else one.text.write(value)
    word = one.name.replace("_", "-")
    kind: Any = str if one.text is not None else one.kind | None if one.optional else one.kind
    words = f"--{word}/--no-{word}" if one.kind is bool else f"--{word}"
    shown = default not in (None, False)
    completion = (lambda: [str(value) for value in one.words]) if one.words else None
    hint = Annotated[kind, typer.Option(words, help=one.sentence, show_default=shown, autocompletion=completion)]
    return _parameter(one.name, default, hint)


def _parameter(name: str, default: Any, hint: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def was_typed(context: typer.Context, name: str) -> bool:
    """Whether a parameter comes from the command line, not from its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"
