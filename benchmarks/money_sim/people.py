"""What cashiers, checkers and releasers do in a storm."""

from __future__ import annotations

from typing import Any

import escrow
from benchmarks.money_sim.office import CASHIERS, CHECKERS, RELEASER
from benchmarks.money_sim.scene import Scene


def people(scene: Scene) -> None:
    """One thing that people do: draft what is due, check, release, cancel."""
    if not scene.account:
        scene.know_account()
        return
    rows = [row for row in scene.office.learn() if row["state"] in ("DRAFTED", "CHECKED")]
    if rows and scene.dice.random() < 0.75:
        approve(scene, rows[scene.dice.randrange(len(rows))])
        return
    released = [row for row in scene.office.learn() if row["state"] == "RELEASED"]
    if released and scene.dice.random() < 0.08:
        order = released[0]["id"]
        scene.office.do(
            "cancel",
            lambda: scene.office.act(CASHIERS[0], lambda uow: escrow.cancel_order(uow, order, "撤回")),
        )
        return
    unknown = [row for row in scene.office.learn() if row["state"] == "SENT" and row["outcome"] == "UNKNOWN"]
    if unknown and scene.dice.random() < 0.5:  # someone loses patience
        row = unknown[-1]
        if row["purpose"] == "COMPENSATION":
            seat = scene.office.seats[row["payee"]]
            again_ = scene.office.draft(seat, row["instalment"], int(row["amount_fen"]), CASHIERS[1])
            scene.office.do("draft again", again_)
        return
    draft_due(scene, scene.dice.random() < 0.3)


def approve(scene: Scene, row: Any) -> None:
    """Check, or release, one order."""
    office, order = scene.office, scene.office.orders[row["id"]]
    digest = row["digest"] if scene.dice.random() < 0.5 else None
    if row["state"] == "DRAFTED":
        by = CHECKERS[scene.dice.randrange(2)]
        office.do("check", office.check(order.id, by, digest))
    else:
        office.do("release", office.release(order.id, RELEASER, digest))
    note_signatures(scene)


def push_through(scene: Scene) -> None:
    """One order goes all the way to its release, as on a good day."""
    for _ in range(2):
        rows = [row for row in scene.office.learn() if row["state"] in ("DRAFTED", "CHECKED")]
        if rows:
            approve(scene, rows[0])


def note_signatures(scene: Scene) -> None:
    """Who signed what, as the signers themselves remember it."""
    rows = scene.office.rows(
        "SELECT order_id, person FROM escrow.approval WHERE order_id = ANY(%(ids)s)",
        ids=list(scene.office.orders),
    )
    for row in rows:
        scene.office.orders[row["order_id"]].persons.add(row["person"])
    scene.office.learn()


def due(scene: Scene) -> list[tuple[str, int, int]]:
    """(seat, instalment, fen) not yet drafted or paid, by the hub's own page."""
    live = ("DRAFTED", "CHECKED", "RELEASED", "DISPATCHING", "SENT", "PAID")
    rows = scene.office.learn()
    found = []
    for seat in scene.office.seats.values():
        for instalment, share in seat.shares.items():
            have = sum(
                int(row["amount_fen"]) for row in rows if row["payee"] == seat.key and row["instalment"] == instalment
                and row["purpose"] == "COMPENSATION" and row["state"] in live
            )  # fmt: skip
            if share > have:
                found.append((seat.key, instalment, share - have))
    return found


def draft_due(scene: Scene, half: bool) -> None:
    """Draft something that is due; sometimes in two parts, sometimes more than is due."""
    found = due(scene)
    if not found:
        found = [(seat.key, 1, seat.shares[1]) for seat in scene.office.seats.values()]  # someone tries again
    key, instalment, fen = found[scene.dice.randrange(len(found))]
    if half and fen > 100:
        fen //= 2
    by = CASHIERS[scene.dice.randrange(2)]
    scene.office.do("draft", scene.office.draft(scene.office.seats[key], instalment, fen, by))
    scene.office.learn()
