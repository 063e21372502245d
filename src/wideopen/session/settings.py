"""What a user can set; see `wideopen.settings`."""

from wideopen.settings import MAX_MEGAPIXELS as MAX_MEGAPIXELS
from wideopen.settings import LensSettings as LensSettings
from wideopen.settings import MapSettings as MapSettings
from wideopen.settings import OutputSettings as OutputSettings
