"""Admission to a bounded number of places, for asyncio and for threads."""

import asyncio
import contextlib
import threading

import pytest

from wideopen.errors import InvalidInput
from wideopen.workers import Admission, QueueFull

LONG_S = 60  # ends a test that would hang; never reached


def test_turns_are_first_come_first_served():
    async def story():
        admission, order = Admission(1), []

        async def take(name):
            async with admission.turn():
                order.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(*(take(name) for name in "abcd"))
        assert order == list("abcd")
        assert (admission.running, admission.waiting) == (0, 0)

    asyncio.run(story())


def test_a_full_queue_refuses_and_says_when_to_try_again():
    admission = Admission(1, waiting=2)
    tickets = [admission.enter() for _ in range(3)]
    admission._mean_s = 3.0
    with pytest.raises(QueueFull, match="try again in 9 s") as caught:
        admission.enter()
    assert caught.value.retry_after_s == 9
    admission.leave(tickets[0])
    assert admission.wait(tickets[1], LONG_S) == 0
    admission.enter()


def test_a_waiting_thread_sees_its_place_and_gets_its_turn():
    admission = Admission(1)
    first, second, third = (admission.enter() for _ in range(3))
    assert [admission.wait(ticket, 0.01) for ticket in (first, second, third)] == [0, 1, 2]
    admission.leave(second)  # gives up
    found = []
    waiter = threading.Thread(target=lambda: found.append(admission.wait(third, LONG_S)))
    waiter.start()
    admission.leave(first)
    waiter.join(LONG_S)
    assert found == [0]
    admission.leave(third)
    admission.leave(third)
    assert (admission.running, admission.waiting) == (0, 0)


def test_a_cancelled_waiter_gives_its_place_back():
    async def story():
        admission = Admission(1)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(admission.turn())
            waiter = asyncio.ensure_future(stack.enter_async_context(admission.turn()))
            await asyncio.sleep(0)
            assert admission.waiting == 1
            waiter.cancel()
            await asyncio.wait({waiter})
            assert admission.waiting == 0
        async with admission.turn():
            assert admission.running == 1

    asyncio.run(story())


def test_no_slots_are_refused():
    with pytest.raises(InvalidInput, match="slots: expected at least 1, found 0"):
        Admission(0)
