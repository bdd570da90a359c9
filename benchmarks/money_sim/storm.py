"""The storm of one run: acts in the order that the dice say, each of which may break."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from benchmarks.money_sim import court, meeting, people, pressing, weather
from benchmarks.money_sim.office import PAYER
from benchmarks.money_sim.scene import Scene
from sandbox.bank import settings as bank_settings

STEPS = (
    ("worker", 24), ("letter", 26), ("people", 26), ("bank", 12), ("clock", 10), ("deposit", 5), ("court", 5), ("return", 10),
    ("night", 5), ("pair", 10), ("rotate", 3), ("wrong person", 4), ("wrong refund", 4), ("new account", 4), ("void", 2),
    ("manner", 8), ("late", 8), ("early word", 6), ("close call", 9), ("line down", 6), ("paid again", 5), ("dead hand", 6),
)  # fmt: skip
LENGTH = (16, 26)
ACTS: dict[str, Callable[[Scene], None]] = {
    "worker": Scene.worker, "letter": weather.letter, "people": people.people, "bank": weather.bank, "clock": weather.clock,
    "deposit": Scene.deposit, "court": court.court, "return": weather.come_back, "night": weather.night, "pair": meeting.pair,
    "rotate": weather.rotate, "wrong person": court.wrong_person, "wrong refund": court.wrong_refund,
    "new account": court.new_account, "void": court.void, "manner": weather.manner, "late": Scene.late_calls,
    "early word": weather.early_word, "close call": pressing.close_call, "line down": pressing.line_down,
    "paid again": pressing.paid_again, "dead hand": pressing.dead_hand,
}  # fmt: skip


def run(scene: Scene) -> None:
    """Until the length of this storm is over."""
    office = scene.office
    office.sign()
    scene.worker()
    if scene.dice.random() < 0.25:
        bank_settings.change(scene.site.books, {"query_lag_s": 1200})
        scene.trace.fault("query finds nothing yet")
    for _ in range(3):
        scene.know_account()
        if scene.account:
            break
        scene.tick(timedelta(minutes=1))
        scene.worker()
    if scene.account:
        scene.deposit()
        weather.letter(scene, plain=True)
        people.people(scene)
        if scene.dice.random() < 0.6:
            people.push_through(scene)
            if scene.dice.random() < 0.6:
                scene.worker()
                weather.bank(scene)
    names, weights = zip(*STEPS, strict=True)
    for _ in range(scene.dice.randint(*LENGTH)):
        ACTS[str(scene.dice.choices(names, weights)[0])](scene)
        scene.watch()


def plain(scene: Scene) -> None:
    """The same path with nothing broken: the baseline."""
    scene.office.sign()
    scene.worker()
    scene.know_account()
    scene.deposit(scene.office.agreed, PAYER)
