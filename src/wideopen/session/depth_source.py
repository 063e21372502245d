"""--depth: what photos' files hold, and models that may have to be downloaded first."""

from pathlib import Path

from wideopen.disparity.depth_map import DepthMap
from wideopen.disparity.find_disparity import WORDS, require_depth
from wideopen.errors import InvalidInput, WeightsError
from wideopen.files.inside import Embedded
from wideopen.session.progress import Steps


class Depths:
    """The source of depth of all photos of one command."""

    def __init__(self, asked: str, *, offline: bool) -> None:
        """`asked` is the word after --depth. Raises InvalidInput for a word that names no source."""
        require_depth(asked)
        self.asked = asked
        self._offline = offline
        self._tried = False

    @property
    def is_model(self) -> bool:
        """Whether a model was asked for by name."""
        return self.asked not in WORDS

    def prepare(self, step: Steps) -> None:
        """Have the weights of a model asked for by name on disk, before any photo is opened. Raises WeightsError."""
        if self.is_model:
            _fetch(self.asked, step, offline=self._offline)

    @property
    def looks_inside(self) -> bool:
        """Whether the source asked for makes it worth reading the parts inside a photo."""
        return self.asked in ("auto", "embedded")

    def embedded(self, photo: Path, parts: Embedded, step: Steps) -> DepthMap | None:
        """The depth among the parts inside a photo, if it may be used; else, for "auto", have the default model.

        Where it cannot be fetched one line says why, once a command; `analyze` then does without. Raises InvalidInput
        for a photo without depth, if that was asked for by name.
        """
        if not self.looks_inside:
            return None
        found = parts.depth
        if found is None and self.asked == "embedded":
            reasons = f" ({'; '.join(parts.ignored)})" if parts.ignored else ""
            raise InvalidInput(
                f"{photo}: expected depth inside the photo's file (--depth embedded), found none{reasons}"
            )
        if found is None and not self._tried:
            self._tried = True
            self._fetch_default(step)
        return found

    def _fetch_default(self, step: Steps) -> None:
        from wideopen.disparity.nets.hub import is_offline
        from wideopen.disparity.nets.models import DEFAULT

        if is_offline(self._offline):
            return
        try:
            _fetch(DEFAULT, step, offline=False)
        except WeightsError as error:
            step.note(f"note: {error}")


def _fetch(model: str, step: Steps, *, offline: bool) -> None:
    from wideopen.disparity.nets.hub import cache_folder, fetch, is_offline, on_disk, resolve

    if on_disk(model):
        return
    if not is_offline(offline):
        step("asking the hub")

    def on_start() -> None:
        step.note(f"note: downloading depth model {resolve(model).describe()}, once, into {cache_folder()}")
        step("downloading")

    fetch(model, offline=offline, on_start=on_start, on_bytes=step.download)
