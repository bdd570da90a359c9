"""Acts at the worst moment: what hurts depends on where an order stands, so these look before they act."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.money_sim import court, people, weather
from benchmarks.money_sim.office import CASHIERS, PAYER
from benchmarks.money_sim.scene import Scene

UNDER_WAY = ("RELEASED", "DISPATCHING", "SENT")


def close_call(scene: Scene) -> None:
    """An order is released, or has left and nobody knows more; minutes later a court freezes all there is."""
    if not scene.account:
        return
    if not any(row["state"] in UNDER_WAY for row in scene.office.learn()):
        people.push_through(scene)
    if not any(row["state"] in UNDER_WAY for row in scene.office.learn()):
        return
    scene.tick(timedelta(seconds=scene.dice.choice((70, 400, 700, 1300))))
    court.freeze(scene, large=scene.dice.random() < 0.7)
    scene.watch()
    scene.worker()


def dead_hand(scene: Scene) -> None:
    """The worker dies with a call under way; when it has long been missed a court freezes all there is, or others go on."""
    office, dice = scene.office, scene.dice
    if not any(row["state"] == "RELEASED" for row in office.learn()):
        people.push_through(scene)
    if not any(row["state"] in ("RELEASED", "DISPATCHING") for row in office.learn()):
        return
    scene.outside.step += 1
    office.do("worker", scene.turn, may_crash=False, crash=(dice.randint(1, 2), "call"))
    scene.watch()
    scene.tick(timedelta(seconds=dice.choice((70, 280, 400))))
    if dice.random() < 0.5:
        court.freeze(scene, large=dice.random() < 0.7)
        scene.watch()
    scene.worker(may_crash=False)


def line_down(scene: Scene) -> None:
    """For a while no call comes through or none is answered; the worker goes on asking."""
    scene.outside.down = scene.dice.randint(2, 5)
    scene.trace.fault("line is down for several calls")
    if not any(row["state"] in UNDER_WAY for row in scene.office.learn()):
        return
    for _ in range(scene.dice.randint(1, 4)):
        scene.worker()
        scene.watch()
        scene.tick(timedelta(seconds=scene.dice.choice((130, 400, 1900, 7200))))


def paid_again(scene: Scene) -> None:
    """What was paid is drafted once more, at once or after a day, and nobody looks closely; there is money, since the
    payer paid again too."""
    paid = [
        row for row in scene.office.learn() if row["state"] == "PAID" and row["purpose"] == "COMPENSATION"
    ]
    if not paid:
        return
    if scene.dice.random() < 0.5:
        scene.tick(timedelta(hours=25))
    if scene.dice.random() < 0.6:
        scene.trace.fault("payer pays too much")
        scene.deposit(int(paid[0]["amount_fen"]), PAYER)
        weather.letter(scene, plain=True)
    row = paid[scene.dice.randrange(len(paid))]
    scene.trace.fault("paid share drafted again tried")
    seat = scene.office.seats[row["payee"]]
    again = scene.office.draft(seat, row["instalment"], int(row["amount_fen"]), CASHIERS[1])
    scene.office.do("draft again", again)
    people.push_through(scene)
    if scene.dice.random() < 0.5:
        scene.worker()
