"""Python client for the service: `Client` sends photos and returns results (docs/service.md); needs wideopen[client].

>>> with Client("http://127.0.0.1:8000") as client:                                     # doctest: +SKIP
...     Path("out.jpg").write_bytes(client.render(Path("portrait.jpg"), lens={"blur": "3%"}).image)
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from wideopen.errors import WideopenError, require_packages, system_errors

if TYPE_CHECKING:
    import httpx

Values = Mapping[str, Any]
File = Path | bytes
_PARTS = "multipart/form-data"
_LONGEST_WAIT_S = 60.0


class ServiceError(WideopenError):
    """The service refused the request or could not be reached."""

    def __init__(self, message: str, *, status: int | None = None, kind: str | None = None) -> None:
        self.status = status  # the HTTP status; None if there was no response
        self.kind = kind  # the problem's type, such as /problems/refused
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rendered:
    """A rendered image as a file; its report and maps are None unless they were requested (`parts`)."""

    image: bytes
    report: dict[str, Any] | None = None
    matte: bytes | None = None  # 16-bit PNG
    disparity: bytes | None = None  # 16-bit PNG


class Client:
    """A connection to a service, usable as a context manager; not thread-safe.

    A photo is either a Path, which the client reads, or the bytes of a file. The service's OpenAPI schema describes
    `lens`, `maps` and `output`. Every method raises ServiceError.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        timeout_s: float = 150.0,
        retries: int = 3,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Set up the connection. Busy responses (503) are retried `retries` times, each after Retry-After seconds.

        Raises InvalidInput if httpx is not installed.
        """
        require_packages("wideopen.service.client", "client", "httpx")
        import httpx

        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=httpx.Timeout(timeout_s, connect=10.0))
        self._retries, self._sleep = retries, sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def info(self) -> dict[str, Any]:
        """Return the service's version, settings and limits."""
        return self._send("GET", "/v1/info").json()

    def render(
        self,
        photo: File,
        *,
        lens: Values | None = None,
        matte: File | None = None,
        matte_hint: File | None = None,
        disparity: File | None = None,
        maps: Values | None = None,
        output: Values | None = None,
        parts: bool = False,
    ) -> Rendered:
        """Render a photo; with `parts`, return also the report and both maps."""
        form = _form(photo, matte, matte_hint, disparity, lens=lens, maps=maps, output=output)
        return self._render("/v1/render", parts=parts, files=form)

    def analyze(
        self,
        photo: File,
        *,
        matte: File | None = None,
        matte_hint: File | None = None,
        disparity: File | None = None,
        maps: Values | None = None,
    ) -> "RemoteScene":
        """Analyze a photo; return a scene that the service keeps, to be rendered repeatedly."""
        found = self._send("POST", "/v1/analyze", files=_form(photo, matte, matte_hint, disparity, maps=maps)).json()
        return RemoteScene(self, found)

    def _render(self, path: str, *, parts: bool, **body: Any) -> Rendered:
        response = self._send("POST", path, headers={"Accept": _PARTS if parts else "image/*"}, **body)
        return _rendered(response) if parts else Rendered(image=response.content)

    def _send(self, method: str, path: str, **request: Any) -> "httpx.Response":
        import httpx

        for left in reversed(range(self._retries + 1)):
            try:
                response = self._http.request(method, path, **request)
            except httpx.HTTPError as error:
                raise ServiceError(f"{self._http.base_url}: {error or type(error).__name__}") from error
            if response.status_code != 503 or not left:
                break
            asked = response.headers.get("retry-after", "")
            self._sleep(min(float(asked), _LONGEST_WAIT_S) if asked.isdigit() else 1.0)
        if response.is_success:
            return response
        raise _error(response)


class RemoteScene:
    """A scene that the service keeps until it is unused for `expires_in_s`; leaving its `with` block removes it."""

    def __init__(self, client: Client, found: dict[str, Any]) -> None:
        self._client, self.id = client, str(found["id"])
        self.found = found  # the response of `POST /v1/analyze`: size, sources of the maps, notes, seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def render(self, lens: Values | None = None, *, output: Values | None = None, parts: bool = False) -> Rendered:
        """Render the scene with `lens`; with `parts`, return also the report and both maps."""
        settings = {"lens": dict(lens or {}), "output": dict(output or {})}
        return self._client._render(f"/v1/scenes/{self.id}/render", parts=parts, json=settings)

    def remove(self) -> None:
        """Remove the scene from the service; a scene that has already gone is not an error."""
        try:
            self._client._send("DELETE", f"/v1/scenes/{self.id}")
        except ServiceError as error:
            if error.status != 404:
                raise


def _form(
    photo: File, matte: File | None, hint: File | None, disparity: File | None, **settings: Values | None
) -> dict[str, tuple[str | None, bytes, str]]:
    """Build the form's fields. Files are named after their fields, so that the service never sees a photo's name."""
    files = {"photo": photo, "matte": matte, "matte_hint": hint, "disparity": disparity}
    form: dict[str, tuple[str | None, bytes, str]] = {
        name: (name, _bytes(file), "application/octet-stream") for name, file in files.items() if file is not None
    }
    chosen = {name: json.dumps(dict(values)).encode() for name, values in settings.items() if values is not None}
    return form | {name: (None, text, "application/json") for name, text in chosen.items()}


def _bytes(file: File) -> bytes:
    if isinstance(file, bytes):
        return file
    with system_errors(f"{file}: cannot be read", ServiceError):
        return file.read_bytes()


def _error(response: "httpx.Response") -> ServiceError:
    try:
        problem = response.json()
        detail, kind = f"{problem['title']}: {problem['detail']}", str(problem["type"])
    except (ValueError, KeyError, TypeError):  # the response came from a proxy, not the service
        detail, kind = response.reason_phrase, None
    return ServiceError(f"{response.status_code} {detail}", status=response.status_code, kind=kind)


def _rendered(response: "httpx.Response") -> Rendered:
    """Split a multipart response into its parts, byte for byte; the boundary occurs in none of them."""
    boundary = response.headers["content-type"].partition("boundary=")[2].encode()
    found: dict[str, bytes] = {}
    for part in (b"\r\n" + response.content).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        found[head.partition(b'name="')[2].partition(b'"')[0].decode()] = content
    try:
        return Rendered(report=json.loads(found.pop("report")), **found)
    except (KeyError, TypeError, ValueError) as error:
        raise ServiceError("expected report, image, matte and disparity, found something else") from error
