"""What `import wideopen` offers."""

import importlib

import pytest

import wideopen

PROMISED = {"Aperture", "Lens", "Scene", "analyze", "read", "read_embedded", "render", "write"}
ERRORS = {"BackendUnavailable", "InvalidInput", "WeightsError", "WideopenError"}


@pytest.mark.parametrize("name", wideopen.__all__)
def test_every_public_name_is_there_and_documented(name):
    thing = getattr(wideopen, name)
    assert thing.__name__ == name
    assert thing.__doc__


def test_promised_names_are_public():
    assert set(wideopen.__all__) >= PROMISED | ERRORS
    assert wideopen.__all__ == sorted(set(wideopen.__all__))


def test_star_import_gives_the_public_names():
    names = {}
    exec("from wideopen import *", names)  # noqa: S102
    assert set(names) >= set(wideopen.__all__)


def test_dir_lists_what_is_loaded_on_first_use():
    assert set(dir(wideopen)) >= set(wideopen.__all__) | {"__version__"}


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"wideopen.*'bokeh'"):
        _ = wideopen.bokeh
    assert not hasattr(wideopen, "Renderer")


@pytest.mark.parametrize("name", sorted(ERRORS - {"WideopenError"}))
def test_errors_have_one_root(name):
    assert issubclass(getattr(wideopen, name), wideopen.WideopenError)


def test_read_and_write_are_those_of_io():
    io = importlib.import_module("wideopen.files")
    assert (wideopen.read, wideopen.write) == (io.read, io.write)
