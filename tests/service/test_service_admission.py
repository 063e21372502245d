"""Admission to a bounded number of places."""

import asyncio
import contextlib

import pytest

from wideopen.errors import InvalidInput
from wideopen.service.problems import QueueFull
from wideopen.service.service import Admission


def test_turns_are_first_come_first_served():
    async def scenario():
        admission, order = Admission(1), []

        async def take(name):
            async with admission.turn():
                order.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(*(take(name) for name in "abcd"))
        assert order == list("abcd")
        assert (admission.running, admission.waiting) == (0, 0)

    asyncio.run(scenario())


def test_a_full_queue_refuses_and_says_when_to_try_again():
    async def scenario():
        admission = Admission(1, waiting=2)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(admission.turn())
            waiters = [asyncio.ensure_future(admission.turn().__aenter__()) for _ in range(2)]
            await asyncio.sleep(0)
            admission._mean_s = 3.0
            with pytest.raises(QueueFull, match="try again in 9 s") as caught:
                admission.require_room()
            assert caught.value.retry_after_s == 9
            for waiter in waiters:
                waiter.cancel()
            await asyncio.wait(waiters)
            admission.require_room()

    asyncio.run(scenario())


def test_a_cancelled_waiter_gives_its_place_back():
    async def scenario():
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

    asyncio.run(scenario())


def test_zero_slots_are_refused():
    with pytest.raises(InvalidInput, match="slots: expected at least 1, found 0"):
        Admission(0)
