"""Small photos with their maps kept inside, so that no network is needed, for the tests of the studio."""

import numpy as np

from wideopen.color import srgb_decode
from wideopen.files import Keep, write
from wideopen.photo import Photo

WIDTH, HEIGHT = 240, 180


def matte():
    """(H, W): a disk in the middle, with an edge 4 pixels wide."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    return np.clip((50 - np.hypot(x - WIDTH / 2, y - HEIGHT / 2)) / 4 + 0.5, 0, 1).astype(np.float32)


def disparity():
    """(H, W): the disk at 0.9, behind it a slope up to 0.3."""
    slope = np.broadcast_to(np.linspace(0, 0.3, WIDTH, dtype=np.float32), (HEIGHT, WIDTH))
    return np.where(matte() > 0.5, np.float32(0.9), slope).astype(np.float32)


def light(seed=7):
    """(H, W, 3) linear light: a reddish disk, as busy as what is behind it."""
    rng = np.random.default_rng(seed)
    codes = rng.uniform(0.1, 0.7, (HEIGHT // 3, WIDTH // 3, 3)).repeat(3, 0).repeat(3, 1)
    inside = matte()[..., None]
    codes = codes * (1 - inside) + inside * np.clip(0.6 * codes + (0.4, 0.05, 0), 0, 1)
    return srgb_decode(codes).astype(np.float32)


def kept_photo(path, seed=7, times=1):
    """Write the photo, so many times as wide and high and then with noise, in a file that holds matte and disparity."""
    rgb, maps = light(seed), [matte(), disparity()]
    if times > 1:
        rgb, *maps = (values.repeat(times, 0).repeat(times, 1) for values in (rgb, *maps))
        rgb = rgb * np.random.default_rng(seed).uniform(0.8, 1.2, rgb.shape).astype(np.float32)
    write(path, rgb, like=Photo(rgb=rgb), quality=95, keep=Keep(matte=maps[0], disparity=maps[1]))
    return path
