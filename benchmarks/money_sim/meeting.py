"""Two acts at once: two cashiers, two workers, a message twice, a freeze against a release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.money_sim import court, people
from benchmarks.money_sim.office import CASHIERS, RELEASER, Freeze
from benchmarks.money_sim.outside import again
from benchmarks.money_sim.scene import Scene
from benchmarks.money_sim.stepping import ENDED


def _nothing() -> None:
    """Nothing follows."""


def pair(scene: Scene) -> None:
    """Two acts at once, statement by statement."""
    chosen = two_acts(scene)
    if chosen is None:
        return
    kind, first, second, after = chosen
    scene.trace.fault(kind)
    scene.outside.step += 1
    scene.office.stepper.arm(0)
    slots = scene.office.stepper.both(scene.dice, first, second)
    for slot in slots:
        scene.office.settle(f"{kind} {slot.name}", slot.trouble, two=True)
    lost = kind == "freeze and release at once" and slots[0].trouble is not None
    if lost and not _deadlock(slots[0].trouble):
        scene.office.wrong.append(f"a court's paper was refused: {str(slots[0].trouble)[:120]}")
    # What lost against the other is sent again by the one who sent it.
    if lost and scene.office.do("freeze again", lambda: first() or "taken", may_crash=False) is None:
        scene.office.wrong.append("a freeze was not taken")
    after()
    people.note_signatures(scene)


def _deadlock(trouble: BaseException | None) -> bool:
    """Whether the act was ended because two waited for each other: the sender tries again."""
    return getattr(getattr(trouble, "orig", None), "sqlstate", None) in ENDED


def two_acts(scene: Scene) -> tuple[str, Callable[[], Any], Callable[[], Any], Callable[[], None]] | None:
    """Which two acts meet."""
    if not scene.account:
        return None
    office, dice = scene.office, scene.dice
    rows = office.learn()
    released = [row for row in rows if row["state"] in ("CHECKED", "RELEASED")]
    if released and dice.random() < 0.5:
        no, work, fen = court.freeze_act(scene)
        row = released[-1]
        other = office.release(row["id"], RELEASER) if row["state"] == "CHECKED" else scene.turn
        office.freezes[no] = Freeze(fen, {row["number"] for row in rows})

        def entered() -> None:
            office.freezes[no].left = office.under_way()

        scene.trace.fault("court freeze")
        return "freeze and release at once", work, other, entered
    waiting = [row for row in rows if row["state"] == "CHECKED"]
    if len(waiting) > 1:
        return (
            "two at once",
            office.release(waiting[0]["id"], RELEASER),
            office.release(waiting[1]["id"], RELEASER),
            _nothing,
        )
    choice = dice.randrange(3)
    if choice == 0 and scene.outside.letters:
        one = scene.outside.letters[0]
        return (
            "two at once",
            lambda: scene.outside.hand_over(one),
            lambda: scene.outside.hand_over(again(one)),
            _nothing,
        )
    if choice == 1:
        return "two at once", scene.turn, scene.turn, _nothing
    due = people.due(scene) or [("A1", 1, office.seats["A1"].shares[1])]
    key, instalment, fen = due[0]
    seat = office.seats[key]
    return (
        "two at once",
        office.draft(seat, instalment, fen, CASHIERS[0]),
        office.draft(seat, instalment, fen, CASHIERS[1]),
        _nothing,
    )
