"""Rays through Mitsuba's sensors, shaded in closed form.

Each ray meets the scene once and its radiance is a formula of that point: reflectance * (sky + sun * cosine * visible)
+ glow; for strands the diffuse and specular terms of Kajiya and Kay, "Rendering fur with three dimensional textures",
SIGGRAPH 1989, Eqs. (14) and (16), with the tangent of the strand's segment. No random light paths, so a ray's
radiance is exact, and so is its clamp at display white.

Ray samples: the additive sequence of generalised golden ratios (Roberts 2018, "R4"), a random shift per pixel
(Cranley and Patterson 1976) which makes every mean unbiased.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drjit as dr
import mitsuba as mi
import numpy as np
from numpy.typing import NDArray

from lens.camera import Camera, Light, disk_radius_px
from lens.shapes import Part, Strands, ellipsoid, unit

mi.set_variant("llvm_ad_rgb")
F32 = NDArray[np.float32]
RAYS_PER_PIXEL = 8  # in one launch: bounds the memory
MOST_LOST = 1e-4
STEPS = 1.1673039782614187 ** -np.arange(1, 5)  # the real root of x^5 = x + 1


class World:
    """A scene in Mitsuba, and the tables that its shading looks up by shape and triangle or segment."""

    def __init__(self, parts: list[Part], light: Light):
        self.light = light
        with tempfile.TemporaryDirectory() as folder:
            shapes = [self._shape(part, Path(folder) / f"{i}.txt") for i, part in enumerate(parts)]
        self.scene = mi.load_dict({"type": "scene"} | {f"part{i}": shape for i, shape in enumerate(shapes)})
        self._tables(parts, shapes)

    @staticmethod
    def _shape(part: Part, file: Path) -> Any:
        if isinstance(part, Strands):
            rows = np.concatenate([part.points, part.radius[..., None]], -1)
            lines = ("\n".join("{:.7g} {:.7g} {:.7g} {:.5g}".format(*point) for point in strand) for strand in rows)
            file.write_text("\n\n".join(lines) + "\n", encoding="ascii")
            return mi.load_dict({"type": "linearcurve", "filename": str(file)})
        mesh = mi.Mesh("mesh", len(part.vertices), len(part.faces), has_vertex_normals=True, has_vertex_texcoords=True)
        params = mi.traverse(mesh)
        params["vertex_positions"] = part.vertices.astype(np.float32).ravel()
        params["vertex_texcoords"] = part.uv.astype(np.float32).ravel()
        params["faces"] = part.faces.astype(np.uint32).ravel()
        params.update()  # makes the vertex normals too
        return mesh

    def _tables(self, parts: list[Part], shapes: list[Any]) -> None:
        """Columns by shape, colours and tangents by triangle or segment, and the texels of all textures in a row.

        Mitsuba's own textures would do too, but with a hundred of them they take five times as long as the rays.
        """
        ids = [dr.reinterpret_array(mi.UInt32, mi.ShapePtr(shape))[0] for shape in shapes]
        looks = np.zeros((5, max(ids) + 1), np.float32)
        whole = np.zeros((4, max(ids) + 1), np.uint32)
        texels, tints, tangents = [np.ones((1, 3))], [], []
        for number, part in zip(ids, parts, strict=True):
            whole[:, number] = sum(map(len, tints)), 0, 1, 1
            tints.append(part.tint)
            if isinstance(part, Strands):
                looks[:, number] = part.subject, 1, 0, 0, part.shine
                tangents.append(unit(np.diff(part.points, axis=1)).reshape(-1, 3))
                continue
            looks[:, number] = part.subject, 0, part.glow, part.thin, 0
            tangents.append(np.zeros_like(part.tint))
            if part.texture is not None:
                whole[1:, number] = sum(map(len, texels)), *part.texture.shape[:2]
                texels.append(part.texture.reshape(-1, 3))
        self.subject, self.is_strand, self.glow, self.thin, self.shine = (mi.Float(column) for column in looks)
        self.first, self.first_texel, self.rows, self.columns = (mi.UInt32(column) for column in whole)
        flat = (mi.Float(np.concatenate(x).astype(np.float32).ravel()) for x in (tints, tangents, texels))
        self.tint, self.tangent, self.texels = flat

    def _texture(self, shape: Any, uv: Any, hit: Any) -> Any:
        """The texture's colour at uv, bilinear, repeating."""
        first, rows, columns = (
            dr.gather(mi.UInt32, column, shape, hit) for column in (self.first_texel, self.rows, self.columns)
        )
        rows, columns = dr.maximum(rows, 1), dr.maximum(columns, 1)  # of rays that met nothing they are 0
        x, y = uv.x - dr.floor(uv.x), uv.y - dr.floor(uv.y)
        x, y = x * columns + (columns - 0.5), y * rows + (rows - 0.5)  # a whole turn on, so that nothing is negative
        column, row = mi.UInt32(x), mi.UInt32(y)
        s, t = x - column, y - row

        def texel(down: int, right: int) -> Any:
            place = first + ((row + down) % rows) * columns + (column + right) % columns
            return dr.gather(mi.Color3f, self.texels, place, hit)

        upper, lower = (dr.lerp(texel(down, 0), texel(down, 1), s) for down in (0, 1))
        return dr.lerp(upper, lower, t)

    def shade(self, ray: Any) -> tuple[Any, Any, Any]:
        """Radiance (Color3f), distance along -z, and 1 where the subject is met, of each ray."""
        si = self.scene.ray_intersect(ray, mi.RayFlags.All, coherent=True)
        hit = si.is_valid()
        shape = dr.reinterpret_array(mi.UInt32, si.shape)
        of_shape = lambda column: dr.gather(mi.Float, column, shape, hit)  # noqa: E731
        primitive = dr.gather(mi.UInt32, self.first, shape, hit) + si.prim_index
        colour = self._texture(shape, si.uv, hit) * dr.gather(mi.Color3f, self.tint, primitive, hit)
        strand = hit & (of_shape(self.is_strand) > 0)
        glow = of_shape(self.glow)
        lit = hit & (glow == 0)
        sun, view = dr.normalize(mi.Vector3f(self.light.sun)), -ray.d
        tangent = dr.gather(mi.Vector3f, self.tangent, primitive, strand)
        n = si.sh_frame.n
        n = dr.select(dr.dot(n, view) < 0, -n, n)
        n = dr.select(strand, dr.normalize(view - dr.dot(view, tangent) * tangent), n)
        cosine = dr.dot(n, sun)
        sine = lambda a: dr.safe_sqrt(1 - dr.square(dr.dot(tangent, a)))  # noqa: E731
        surface = dr.maximum(cosine, 0) + of_shape(self.thin) * dr.maximum(-cosine, 0)
        diffuse = dr.select(strand, 0.6 * sine(sun), surface)
        gloss = dr.select(strand, of_shape(self.shine) * dr.power(sine(dr.normalize(sun + view)), 60), 0)
        seen = self._sees_sun(si, sun, lit & (diffuse > 0), strand)
        sky = mi.Color3f(self.light.sky_rgb) * (0.7 + 0.3 * n.y)
        beam = mi.Color3f(self.light.sun_rgb) * seen
        radiance = colour * (sky + beam * diffuse) + beam * gloss * (0.5 + 0.5 * colour)
        radiance = dr.select(lit, radiance, colour * glow) & hit
        return radiance, dr.select(hit, -si.p.z, mi.Float(np.inf)), of_shape(self.subject)

    def _sees_sun(self, si: Any, sun: Any, active: Any, strand: Any) -> Any:
        """1 or 0; strands start 3 mm off, so that they do not shade themselves."""
        if not self.light.shadows:
            return mi.Float(1)
        shadow = si.spawn_ray(sun)
        shadow.o = dr.select(strand, si.p + 0.003 * sun, shadow.o)
        return dr.select(self.scene.ray_test(shadow, active), mi.Float(0), mi.Float(1))


def rays(camera: Camera, sensor: Any, count: int, seed: int, first: int) -> Any:
    """`count` rays of every pixel, pixel after pixel, from place `first` of its sequence."""
    pixels = camera.width * camera.height
    index = dr.arange(mi.UInt32, pixels * count)
    pixel = index // count
    place = mi.Float(first + index % count)
    shift = mi.PCG32(size=1, initstate=0)
    sample = []
    for dimension in range(4):
        shift = mi.sample_tea_float32(pixel, mi.UInt32(4 * seed + dimension))
        sample.append(dr.fma(place, float(STEPS[dimension]), shift))
    x, y, u, v = (s - dr.floor(s) for s in sample)
    film = mi.Point2f(mi.Float(pixel % camera.width) + x, mi.Float(pixel // camera.width) + y)
    size = mi.Point2f(camera.width, camera.height)
    return sensor.sample_ray(0.0, 0.0, film / size, mi.Point2f(u, v))[0]


def launches(samples: int) -> Iterator[tuple[int, int]]:
    """(first, count) of each launch."""
    for first in range(0, samples, RAYS_PER_PIXEL):
        yield first, min(RAYS_PER_PIXEL, samples - first)


def pixel_sums(values: list[Any], count: int) -> F32:
    """(values, pixels): each value summed over the `count` rays of each pixel, all in one launch."""
    dr.eval(values)  # block_sum evaluates its argument by itself: one launch for each value
    return np.array([np.array(dr.block_sum(value, count)) for value in values])


def pinhole(world: World, camera: Camera, samples: int, seed: int = 1) -> dict[str, F32]:
    """What the all-in-focus photo is made of: `radiance` (H, W, 3), `matte`, `disparity` (H, W).

    Disparity: of the subject's rays where the matte is over 0.5, of the other rays elsewhere.
    """
    sensor, sums = mi.load_dict(camera.sensor()), np.zeros((7, camera.height * camera.width))
    for first, count in launches(samples):
        rgb, z, subject = world.shade(rays(camera, sensor, count, seed, first))
        d = camera.disparity(z)
        values = [rgb.x, rgb.y, rgb.z, subject, d * subject, d, dr.select((d < -1e-5) | (d > 1 + 1e-5), 1.0, 0.0)]
        sums += pixel_sums(values, count)
    # Embree loses about one ray in 10^5 that grazes a thin strand; more means that a scene is open or too near
    if sums[6].sum() > MOST_LOST * samples * camera.width * camera.height:
        raise ValueError(f"{int(sums[6].sum())} rays met nothing between the camera's near and far")
    sums = (sums / samples).reshape(7, camera.height, camera.width)
    matte = sums[3]
    inner, outer = sums[4] / np.maximum(matte, 1e-9), (sums[5] - sums[4]) / np.maximum(1 - matte, 1e-9)
    disparity = np.clip(np.where(matte > 0.5, inner, outer), 0, 1)
    maps = {"radiance": np.moveaxis(sums[:3], 0, -1), "matte": np.clip(matte, 0, 1), "disparity": disparity}
    return {name: value.astype(np.float32) for name, value in maps.items()}


def through_lens(world: World, camera: Camera, sensor: Any, samples: int, seed: int, first: int = 0) -> F32:
    """(2, H, W, 3): sums over the rays of radiance clamped at display white, and of radiance."""
    sums = np.zeros((6, camera.height * camera.width))
    for start, count in launches(samples):
        rgb, _, _ = world.shade(rays(camera, sensor, count, seed, first + start))
        values = [*(dr.minimum(c, 1) for c in (rgb.x, rgb.y, rgb.z)), rgb.x, rgb.y, rgb.z]
        sums += pixel_sums(values, count)
    return np.moveaxis(sums.reshape(2, 3, camera.height, camera.width), 1, -1).astype(np.float32)


def blur_radius_px(camera: Camera, z: float, focus_m: float, aperture_m: float) -> float:
    """Radius in pixels to which Mitsuba's lens blurs a point at `z` metres: what `Camera` promises, measured."""
    ball = ellipsoid((0, 0, -z), z / camera.focal_px, glow=1.0)  # 1 pixel, so that enough rays meet it
    night = Light(sun=(0, 1, 0), sun_rgb=(0, 0, 0), sky_rgb=(0, 0, 0), shadows=False)
    sensor = mi.load_dict(camera.sensor(focus_m, aperture_m))
    image = through_lens(World([ball], night), camera, sensor, samples=512, seed=3)
    return float(np.sqrt(max(disk_radius_px(image[1, ..., 0]) ** 2 - 1, 0)))
