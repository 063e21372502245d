"""What a run shows while it runs."""

import pytest
import torch

from wideopen.matting.net.model import StageOutput
from wideopen.train.board import Board, picture_grid


@pytest.mark.parametrize("bar", [True, False])
def test_a_bar_shows_step_share_and_time_left_on_a_terminal(tmp_path, monkeypatch, capsys, bar):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal
    monkeypatch.setenv("COLUMNS", "100")
    with Board(tmp_path, tensorboard=False, bar=bar) as board:
        board.advance(0.25, 7)
        board.advance(0.5, 14)
    shown = capsys.readouterr().err
    assert ("step 14" in shown, "50%" in shown, "0:00:0" in shown) == (bar,) * 3


def test_nothing_is_drawn_where_there_is_no_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with Board(tmp_path, tensorboard=False, bar=True) as board:
        board.advance(0.5, 14)
    assert "step" not in capsys.readouterr().err


def test_a_picture_has_a_row_a_sample_and_a_column_a_map():
    image, alpha = torch.full((2, 3, 8, 10), 0.2), torch.full((2, 1, 8, 10), 0.75)
    certain = torch.tensor([9.0, -9.0, -9.0]).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    grid = picture_grid(image, StageOutput(certain, alpha / 3, alpha / 2), alpha)
    assert grid.shape == (3, 16, 50)
    column = [grid[:, 12, 10 * i + 5].tolist() for i in range(5)]
    expected = [[0.2] * 3, [1, 0, 0], [0.25] * 3, [0.375] * 3, [0.75] * 3]
    torch.testing.assert_close(torch.tensor(column), torch.tensor(expected), atol=1e-3, rtol=0)
