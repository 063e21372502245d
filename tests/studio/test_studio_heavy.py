"""Heavy jobs: so many at once, in the order they came, with places that can be seen."""

import threading

import pytest

from wideopen.errors import InvalidInput
from wideopen.studio.heavy import Gate, Pace, run


def finish(stream):
    """Exhaust a job's stream; what it told, and what it made."""
    told = []
    while True:
        try:
            told.append(next(stream))
        except StopIteration as end:
            return told, end.value


def test_a_gate_admits_as_many_as_it_has_slots_first_come_first_served():
    gate = Gate(2)
    tickets = [gate.enter() for _ in range(5)]
    assert [gate.wait(ticket, 0) for ticket in tickets] == [0, 0, 1, 2, 3]
    gate.leave(tickets[0])
    assert [gate.wait(ticket, 0) for ticket in reversed(tickets[2:])] == [3, 2, 0]
    gate.leave(tickets[3])  # who waited went away
    assert gate.wait(tickets[4], 0) == 1


def test_a_later_one_does_not_pass_an_earlier_one_that_is_not_looking():
    gate = Gate(1)
    first, second, third = (gate.enter() for _ in range(3))
    assert gate.wait(first, 0) == 0
    gate.leave(first)
    assert gate.wait(third, 0) == 2
    assert gate.wait(second, 0) == 0


def test_a_job_gives_back_what_it_made_and_tells_its_steps():
    go = threading.Event()

    def job(step):
        step("matte")
        go.wait(10)
        return 42

    stream = run(Gate(1), Pace(fixed_s=2, per_megapixel_s=1), 3.0, job)
    first = next(stream)
    go.set()
    _, made = finish(stream)
    assert (first.step, first.place, first.expected_s) == ("matte", 0, 5.0)
    assert made == 42


def test_while_one_job_runs_the_next_sees_its_place_and_then_runs():
    gate, pace, go = Gate(1), Pace(fixed_s=1, per_megapixel_s=0), threading.Event()
    running = run(gate, pace, 1.0, lambda _: go.wait(10))
    next(running)
    waiting = run(gate, pace, 1.0, lambda _: "mine")
    assert next(waiting).place == 1
    go.set()
    finish(running)
    assert finish(waiting)[1] == "mine"


def test_who_leaves_while_waiting_gives_the_place_back():
    gate, pace, go = Gate(1), Pace(fixed_s=1, per_megapixel_s=0), threading.Event()
    running = run(gate, pace, 1.0, lambda _: go.wait(10))
    next(running)
    waiting, last = (run(gate, pace, 1.0, lambda _: None) for _ in range(2))
    assert (next(waiting).place, next(last).place) == (1, 2)
    waiting.close()
    assert next(last).place == 1
    go.set()
    finish(running)
    finish(last)


def test_who_leaves_while_running_keeps_the_slot_until_the_job_is_done():
    gate, pace, go, done = Gate(1), Pace(fixed_s=1, per_megapixel_s=0), threading.Event(), threading.Event()

    def job(_):
        go.wait(10)
        done.set()

    running = run(gate, pace, 1.0, job)
    next(running)
    running.close()
    other = gate.enter()
    assert gate.wait(other, 0) == 1
    go.set()
    assert done.wait(10)
    assert gate.wait(other, 10) == 0


def test_what_a_job_raises_is_raised_and_the_slot_is_free():
    gate = Gate(1)

    def job(_):
        raise InvalidInput("no photo")

    with pytest.raises(InvalidInput, match="no photo"):
        finish(run(gate, Pace(fixed_s=1, per_megapixel_s=0), 1.0, job))
    assert gate.wait(gate.enter(), 0) == 0


def test_the_estimate_follows_what_jobs_take_here():
    pace = Pace(fixed_s=1, per_megapixel_s=0.5)
    assert pace.expected_s(4) == 3
    for _ in range(12):
        pace.learn(4, 6)
    assert abs(pace.expected_s(4) - 6) < 0.01
    assert abs(pace.expected_s(10) - 12) < 0.02
