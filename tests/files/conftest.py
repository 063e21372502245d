"""Fixtures of the tests of files."""

import numpy as np
import pytest

from wideopen.files.containers.icc import build_profile


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def profile_of():
    return build_profile
