"""An instruction that never arrived, on a day on which its account did not move: it must not stay UNKNOWN for ever."""

from __future__ import annotations

import escrow
from tests.escrow.world import HOUSE, PARENT, World, terms


def covered(world: World, number: str) -> bool:
    known = world.look(lambda uow: escrow.known_order(uow, HOUSE, number))
    assert known is not None
    return bool(known.statement_taken)


def test_the_parents_next_night_covers_a_day_without_movement(world: World) -> None:
    """A sub-account that does not move has no statement of that day; its holder's parent account always has one."""
    case = world.open(terms())
    world.day("SD1", 0, world.line("SD1", 10000, party_account="981"))
    world.at("2026-04-02T09:00:00")
    order = world.approve(world.draft(case, 10000))
    number = world.number(order)
    world.send(order, "UNKNOWN")
    assert not covered(world, number)
    world.day(PARENT, 0)
    assert not covered(world, number), "the sub-account's own statement of that night may still be on its way"
    world.at("2026-04-03T23:40:00")
    world.day(PARENT, 0)
    assert covered(world, number)


def test_a_statement_of_the_account_itself_covers_its_day(world: World) -> None:
    case = world.open(terms())
    world.notice(world.line("SD1", 10000, ref="IN", party_account="981"))
    order = world.approve(world.draft(case, 10000))
    world.send(order, "UNKNOWN")
    assert not covered(world, world.number(order))
    world.day("SD1", 0, world.line("SD1", 10000, ref="IN", party_account="981"))
    assert covered(world, world.number(order))
