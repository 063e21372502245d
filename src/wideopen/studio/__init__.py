"""The studio: a web page for adjusting the lens of a photo. Needs the extra `web`.

`launch` serves the Gradio app or mounts it on another. Pictures come from plain functions (`preview`, `brush`, `work`);
`tabs` keeps the state of each browser tab.
"""

from dataclasses import dataclass, field

from wideopen.options import Settings, option
from wideopen.settings import MapSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioSettings(Settings):
    """Limits on tabs, photos and strokes, and how photos are analysed and rendered."""

    maps: MapSettings = field(default_factory=MapSettings)
    backend: str = "auto"
    tabs: int = option(16, least=1, help="Number of tabs; one more ends the tab that has been idle longest.")
    idle_s: float = option(1800.0, above=0, most=1e6, unit="s", help="Time after which an idle tab ends.")
    photo_s: float = option(300.0, above=0, most=1e6, unit="s", help="Time limit for one photo in a worker.")
    max_megabytes: float = option(100.0, above=0, most=1e6, unit="MB", help="Largest upload.")
    max_megapixels: float = option(60.0, above=0, most=1e6, unit="megapixels", help="Largest photo.")
    preview_megapixels: float = option(1.5, above=0, most=100, unit="megapixels", help="Size of the preview.")
    strokes: int = option(60, least=1, help="Number of strokes; all can be undone, and are repeated at full size.")
