"""schemathesis drives the service by its own OpenAPI: what fits is answered as documented, the rest refused.

Longer, by hand: SCHEMA_EXAMPLES=300 pytest tests/service/test_service_schema.py
"""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from service_process import SMALL, encoded, matte_bytes, photo_bytes, small_rgb

from wideopen.service import ServeSettings
from wideopen.service.app import make_app

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "12"))
PHOTOS = [
    photo_bytes("PNG"),
    photo_bytes("JPEG"),
    matte_bytes(SMALL),
    encoded(small_rgb()[:9, :5], "WEBP"),
    b"no photo",
]
for kind in ("image/jpeg", "image/png", "image/webp", "image/tiff", "image/heic", "image/avif"):
    schemathesis.openapi.media_type(kind, st.sampled_from(PHOTOS))

# A schema cannot say that a matte must fit its photo, or a format its bits: 422 is an answer to what fits it.
CONFIG = SchemathesisConfig.from_dict(
    {"checks": {"positive_data_acceptance": {"expected-statuses": [200, 201, 204, 404, 406, 415, 422]}}}
)


SCHEMA = schemathesis.openapi.from_dict(make_app(ServeSettings()).openapi(), config=CONFIG)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=[mode.value for mode in GenerationMode])
@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.label for operation in OPERATIONS])
def test_the_service_keeps_to_its_openapi(server, operation, mode):
    if mode == GenerationMode.NEGATIVE and operation.method != "post":
        return  # the others take nothing that could be wrong

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def keeps(case):
        if isinstance(case.body, dict):
            assume([] not in case.body.values())  # a form cannot hold an empty list: nothing would be sent
        case.call_and_validate(base_url=server.url, timeout=60)

    keeps()
