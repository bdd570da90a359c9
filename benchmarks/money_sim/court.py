"""What the court, the parties and people who must not do it do in a storm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import escrow
from benchmarks.money_sim import people
from benchmarks.money_sim.office import ALL_ROLES, CASHIERS, CHECKERS, STRANGER, Freeze
from benchmarks.money_sim.scene import Scene
from foundation.actors import SYSTEM, Actor

LARGE_FEN = 5_000_000  # above this three persons sign


def court(scene: Scene) -> None:
    """A freeze comes, or one is lifted."""
    if not scene.account:
        return
    office = scene.office
    live = [no for no, one in office.freezes.items() if not one.lifted]
    if live and scene.dice.random() < 0.5:
        lift(scene, live[0])
        return
    freeze(scene)


def freeze(scene: Scene, *, large: bool = False) -> None:
    """A court's freeze, known to the hub; the bank itself holds nothing yet. `large`: of more than there is."""
    no, work, fen = freeze_act(scene, large=large)
    scene.trace.fault("court freeze")
    done = scene.office.do("freeze", lambda: work() or "taken", may_crash=False)
    scene.office.freezes[no] = Freeze(fen, scene.office.under_way())
    if done is None:
        scene.office.wrong.append(f"the freeze {no} was not taken")


def freeze_act(scene: Scene, *, large: bool = False) -> tuple[str, Callable[[], Any], int]:
    """A freeze to be taken: its number, the act, its sum."""
    no = f"（2026）浙0399执保{len(scene.office.freezes) + 1}号"
    all_of_it = scene.office.agreed * 2
    fen = all_of_it if large else scene.dice.choice((500, 9_000, scene.office.agreed // 2, all_of_it))
    papers = escrow.CourtDocument(no, "FREEZE", scene.account, fen)
    office = scene.office
    return no, lambda: office.act(SYSTEM, lambda uow: escrow.take_court_document(uow, papers)), fen


def lift(scene: Scene, no: str) -> None:
    """The court lifts a freeze by another paper."""
    papers = escrow.CourtDocument(f"{no}之一", "LIFT", scene.account, 1)
    scene.office.freezes[
        no
    ].lifted = True  # from here on money may go: the act below is not the first to say so
    scene.office.do(
        "lift",
        lambda: scene.office.act(SYSTEM, lambda uow: escrow.take_court_document(uow, papers)),
        may_crash=False,
    )


def wrong_person(scene: Scene) -> None:
    """Someone tries to approve an own draft, or to be two of three."""
    rows = [row for row in scene.office.learn() if row["state"] in ("DRAFTED", "CHECKED")]
    if not rows:
        return
    scene.trace.fault("own draft approved tried")
    if scene.dice.random() < 0.5:
        scene.tick(timedelta(minutes=11))
    office, row = scene.office, rows[0]
    maker = office.orders[row["id"]].maker
    same = Actor(maker, maker, ALL_ROLES.roles, ALL_ROLES.org)
    work = office.check(row["id"], same) if row["state"] == "DRAFTED" else office.release(row["id"], same)
    done = office.do("own draft", lambda: work() or "done", may_crash=False)
    if done == "done":
        office.wrong.append(f"{maker} approved an own draft")
    for row in office.learn():
        if row["state"] == "CHECKED" and int(row["amount_fen"]) > LARGE_FEN:
            people.note_signatures(scene)
            for name in sorted(office.orders[row["id"]].persons - {office.orders[row["id"]].maker}):
                same = Actor(name, name, ALL_ROLES.roles, ALL_ROLES.org)
                release = office.release(row["id"], same)
                if office.do("two of three", lambda w=release: w() or "done", may_crash=False) == "done":
                    office.wrong.append(f"{name} checked and released a large sum")
    people.note_signatures(scene)


def wrong_refund(scene: Scene) -> None:
    """Someone drafts a refund to an account from which nothing came; the others do not look closely."""
    if not scene.account:
        return
    scene.trace.fault("refund to another account tried")
    scene.office.do("wrong refund", scene.office.refund(STRANGER[0], 600, CASHIERS[0]), may_crash=False)
    people.push_through(scene)


def new_account(scene: Scene) -> None:
    """The payee has another account: proposed, confirmed by a second person."""
    seat = scene.office.seats["A1"]
    if len(seat.accounts) > 1 or not scene.account:
        return
    office = scene.office
    number, name = seat.accounts[0]
    fresh = (number[:-1] + "7", name)
    seat.accounts.append(fresh)
    party = office.payee(seat)
    seat.accounts.pop()
    if scene.dice.random() < 0.7:
        people.push_through(scene)
        if scene.dice.random() < 0.5:
            scene.tick(timedelta(minutes=11))
    proposal = office.do("propose payee", lambda: office.act(CASHIERS[0], lambda uow: escrow.propose_payee(
        uow, office.case, seat.key, party, "换卡", "收款人申请")), may_crash=False)  # fmt: skip
    if proposal is None:
        return
    scene.trace.fault("payee changed")
    done = office.do("confirm payee", lambda: office.act(
        CHECKERS[0], lambda uow: escrow.confirm_decision(uow, scene.site.desk, proposal.id)), may_crash=False)  # fmt: skip
    if done is not None:
        rows = office.rows(
            "SELECT number FROM escrow.rail_attempt WHERE case_id = %(case)s", case=office.case
        )
        office.changed[number] = {row["number"] for row in rows}
        seat.accounts.append(fresh)


def void(scene: Scene) -> None:
    """The parties cancel the agreement: nothing more is paid, the rest goes back to where it came from."""
    office = scene.office
    if office.void or not scene.account:
        return
    if scene.dice.random() < 0.5:
        people.push_through(scene)
    scene.trace.fault("agreement void")
    done = office.do("void", lambda: office.act(
        SYSTEM, lambda uow: escrow.void_agreement(uow, office.case, "双方合意解除", "解除协议")), may_crash=False)  # fmt: skip
    office.void = done is not None
    if office.void:
        office.void_left = {
            row["number"]
            for row in office.rows(
                "SELECT number FROM escrow.rail_attempt WHERE case_id = %(case)s", case=office.case
            )
        }
