"""What OpenAPI says about bodies that the framework does not read for us, with examples that work."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from wideopen.service.kinds import FORMATS, PARTS
from wideopen.service.schemas import Lens, Maps, Output, ProblemBody, Report, SceneRender

_BINARY = {"type": "string", "format": "binary"}
_FIELDS: dict[str, dict[str, Any]] = {
    "photo": {
        **_BINARY,
        "description": "JPEG, PNG, TIFF, WebP, HEIC, AVIF; its name is not looked at.",
    },
    "matte": {**_BINARY, "description": "The subject's matte, a grey picture, instead of a predicted one."},
    "disparity": {**_BINARY, "description": "A grey picture, the largest value nearest, instead of one that is found."},
    "lens": {"$ref": "#/components/schemas/Lens"},
    "maps": {"$ref": "#/components/schemas/Maps"},
    "output": {"$ref": "#/components/schemas/Output"},
}
_IMAGES = "image/jpeg, image/png, image/tiff, image/webp, image/heic, image/avif"
_ANY_IMAGE = {media: {"schema": _BINARY} for _, _, media in FORMATS.values()}
_PARTS_SCHEMA = {
    "type": "object",
    "properties": {
        "report": {"$ref": "#/components/schemas/Report"},
        "image": _BINARY,
        "matte": {**_BINARY, "description": "16-bit PNG."},
        "disparity": {**_BINARY, "description": "16-bit PNG."},
    },
}
RESULT: dict[str, Any] = {
    "description": "The image, or with `Accept: multipart/form-data` report, image, matte and disparity.",
    "content": {**_ANY_IMAGE, PARTS: {"schema": _PARTS_SCHEMA}},
}
METRICS: dict[str, Any] = {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}
LENS_EXAMPLE = {"blur": "3%", "aperture": "polygon:7~0.4", "cat_eye": 0.5}
ANALYSIS: dict[str, Any] = {
    "description": "Kept.",
    "content": {
        "application/json": {
            "example": {
                "id": "3q2-7wAAAAAAAAAAAAAAAA",
                "expires_in_s": 900,
                "size": [4000, 3000],
                "matte": "mobile",
                "disparity": "embedded",
                "filtered": True,
                "notes": [],
                "seconds": {"read": 0.3, "matte": 1.9, "disparity": 0.2, "sheets": 0.4},
            }
        }
    },
    "headers": {"Location": {"description": "Where to render it.", "schema": {"type": "string"}}},
}


def form_body(*names: str) -> dict[str, Any]:
    """A multipart form with a photo and the other fields named; settings are JSON."""
    settings = [name for name in names if name in ("lens", "maps", "output")]
    schema = {
        "type": "object",
        "required": ["photo"],
        "additionalProperties": False,
        "properties": {name: _FIELDS[name] for name in names},
    }
    examples = {"lens": LENS_EXAMPLE, "maps": {"depth": "planar"}, "output": {"format": "jpeg", "quality": 92}}
    content: dict[str, Any] = {
        "schema": schema,
        "encoding": {name: {"contentType": "application/json" if name in settings else _IMAGES} for name in names},
        "examples": {"settings": {"value": {name: examples[name] for name in settings}}},
    }
    return {"required": True, "content": {"multipart/form-data": content}}


def json_body() -> dict[str, Any]:
    """Lens and output of one rendering."""
    content = {
        "schema": {"$ref": "#/components/schemas/SceneRender"},
        "examples": {
            "wide open": {"value": {"lens": {"blur": "4%"}}},
            "pulled focus": {"value": {"lens": {"focus": "d=0.2"}, "output": {"format": "png"}}},
        },
    }
    return {"required": True, "content": {"application/json": content}}


def state(name: str) -> dict[int | str, dict[str, Any]]:
    """Answers of a route that says whether the service is something."""
    schema = {"type": "object", "required": [name], "properties": {name: {"type": "boolean"}}}
    content = {"application/json": {"schema": schema}}
    return {200: {"description": "Yes", "content": content}, 503: {"description": "No", "content": content}}


def publish(app: FastAPI, *, protected: bool) -> None:
    """Add the schemas of bodies that no route's signature names; say nothing of tokens unless it is `protected`."""
    make = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            page = make()
            models: list[type[BaseModel]] = [Lens, Maps, Output, SceneRender, ProblemBody, Report]
            _, found = models_json_schema(
                [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
            )
            schemas = page.setdefault("components", {}).setdefault("schemas", {})
            schemas |= found["$defs"]
            schemas["Problem"] = schemas.pop("ProblemBody")
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for operation in (item for path in page["paths"].values() for item in path.values()):
                if _is_frameworks(operation["responses"].get("422", {})):
                    del operation["responses"]["422"]
                if not protected:
                    operation.pop("security", None)
                    operation["responses"].pop("401", None)
            if not protected:
                page["components"].pop("securitySchemes", None)
            app.openapi_schema = page
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _is_frameworks(response: dict[str, Any]) -> bool:
    return "HTTPValidationError" in str(response)
