"""What bank, wallet, wire and clocks do in a storm."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.money_sim import paper
from benchmarks.money_sim.office import BANK, WALLET
from benchmarks.money_sim.outside import again
from benchmarks.money_sim.scene import Scene
from sandbox.bank import policy
from sandbox.control import BadOrder


def clock(scene: Scene) -> None:
    """Time goes on; or the hub's own clock jumps."""
    if scene.dice.random() < 0.25:
        forward = scene.dice.random() < 0.6
        skew = timedelta(
            minutes=scene.dice.choice((3, 20, 50, 1500)) * (1 if forward else -1) / (1 if forward else 3)
        )
        scene.trace.fault("clock forward" if forward else "clock back")
        scene.site.clock.set(scene.site.clock.at, skew)
        return
    scene.tick(timedelta(seconds=scene.dice.choice((11, 70, 130, 400, 1900, 7200))))


def bank(scene: Scene) -> None:
    """Bank and wallet do what is due."""
    scene.site.bank.orders.run_due()
    for row in scene.wallet_rows("DEALING"):
        if scene.dice.random() < 0.5:
            if scene.dice.random() < 0.15:
                scene.site.wallet.pool.fail(row, "PAYEE_ACCOUNT_STATUS_ERROR", "收款账号状态异常")
            else:
                scene.site.wallet.pool.pay(row)
            scene.site.wallet.tell(row)
    scene.outside.collect()


def letter(scene: Scene, *, plain: bool = False) -> None:
    """One message reaches the hub: in its turn, or as the dice say."""
    box, dice = scene.outside.letters, scene.dice
    way = "" if plain else dice.choices(
        ("", "message twice", "messages out of order", "message replayed", "message forged",
         "answer to a message lost", "message lost"), (50, 10, 14, 8, 9, 9, 5),
    )[0]  # fmt: skip
    if way == "message replayed" and scene.outside.old:
        scene.trace.fault(way)
        scene.take(again(scene.outside.old[dice.randrange(len(scene.outside.old))]))
        return
    if not box:
        return
    at = 0
    if way == "messages out of order" and len(box) > 1:
        scene.trace.fault(way)
        at = dice.randrange(1, len(box))
    one = box[at]
    if way == "message forged":
        scene.trace.fault(way, one.kind)
        if scene.take(scene.outside.forged(one)):
            scene.office.wrong.append(f"forged {one.kind} was taken")
        return
    if way == "message lost":
        scene.trace.fault(way)
        box.append(box.pop(at))  # it is pushed again much later
        return
    taken = scene.take(one if not one.tries else again(one))
    if way == "answer to a message lost":
        scene.trace.fault(way)
        taken = False
    if taken:
        box.remove(one)
        scene.outside.old.append(one)
    elif one in box:
        box.append(box.pop(box.index(one)))
    if way == "message twice":
        scene.trace.fault(way)
        scene.take(again(one))


def manner(scene: Scene) -> None:
    """How the bank will treat the next payment."""
    if scene.dice.random() < 0.25:  # the wallet has it and has not carried it out
        scene.trace.fault("bank holds it back")
        scene.site.wallet.script.add({"method": "transfer", "answer": "DEALING"})
        return
    mode = scene.dice.choice(("bank refuses", "bank is silent", "bank holds it back"))
    word = {"bank refuses": "refuse", "bank is silent": "never_answer", "bank holds it back": "hold"}[mode]
    scene.trace.fault(mode)
    policy.order(scene.site.books, word, "AC01" if word == "refuse" else "", "账号户名不符", "", "", 1)


def early_word(scene: Scene) -> None:
    """The bank says that it is done before it is."""
    for e2e in scene.bank_rows("PDNG", "ACSP"):
        if e2e not in scene.early:
            scene.early.add(e2e)
            scene.trace.fault("word without money", e2e)
            paper.early_word(scene.site.bank, e2e)
            _heard_at_once(scene)
            return
    for number in scene.wallet_rows("DEALING"):
        scene.trace.fault("word without money", number)
        notifier = scene.site.wallet.notifier
        fields = notifier.fields(scene.site.wallet.pool.need(number), {"status": "SUCCESS"})
        notifier.put(number, fields)
        _heard_at_once(scene)
        return


def _heard_at_once(scene: Scene) -> None:
    """The newest message overtakes the others, more often than not."""
    scene.outside.collect()
    if scene.outside.letters and scene.dice.random() < 0.6:
        newest = scene.outside.letters[-1]
        if scene.take(newest):
            scene.outside.letters.remove(newest)
            scene.outside.old.append(newest)


def come_back(scene: Scene) -> None:
    """A payment that was made comes back."""
    scene.site.bank.orders.run_due()
    for e2e in scene.bank_rows("ACSC"):
        if scene.dice.random() < 0.5:
            try:
                scene.site.bank.teller.give_back(
                    e2e, None, "AC04", "收款账户已销户", announce=scene.dice.random() < 0.8, credit=True
                )
            except BadOrder:
                return
            scene.trace.fault("payment returned", e2e)
            scene.outside.collect()
            return
    for number in scene.wallet_rows("SUCCESS"):
        if scene.dice.random() < 0.3:
            scene.site.wallet.pool.refund(number, "PAYEE_ACC_OCUPIED", "银行退票")
            scene.site.wallet.tell(number)
            scene.trace.fault("payment returned", number)
            scene.outside.collect()
            return


def night(scene: Scene) -> None:
    """23:30: the day's statements; some late, some wrong at first."""
    now = scene.site.clock.beijing()
    evening = now.replace(hour=23, minute=31, second=0, microsecond=0)
    scene.tick(evening - now if evening > now else timedelta(minutes=1))
    before = len(scene.outside.letters)
    scene.site.bank.notices.close_day(scene.site.clock.beijing().date())
    scene.outside.collect()
    way = scene.dice.choice(
        (
            "",
            "",
            "statement late",
            "statement lacks a line",
            "statement doubles a line",
            "statement twice",
        )
    )
    fresh = [one for one in scene.outside.letters[before:] if "camt.053" in one.kind]
    if way and fresh:
        scene.trace.fault(way)
    if way == "statement twice":
        scene.outside.letters += [again(one) for one in fresh]
    if way in ("statement lacks a line", "statement doubles a line"):
        for one in fresh:
            bad = paper.spoiled(scene.site.bank, one, double=way.endswith("doubles a line"))
            if bad is not None:
                scene.outside.letters.insert(before, bad)
    if way != "statement late":
        if before and fresh and scene.dice.random() < 0.3:  # the day's notices come after its statement
            scene.trace.fault("messages out of order")
            box = scene.outside.letters
            box[:] = box[before:] + box[:before]
        for _ in range(2):
            letter(scene)


def rotate(scene: Scene) -> None:
    """The bank or the gateway signs with a new key; the hub learns of it before or after."""
    rail = scene.dice.choice((BANK, WALLET))
    if scene.keys[rail] >= (3 if rail == BANK else 2):
        return
    scene.keys[rail] += 1
    if scene.dice.random() < 0.5:
        scene.trust(rail)
    scene.trace.fault("key rotated", rail)
    if rail == BANK:
        scene.site.bank.keys.rotate()
    else:
        scene.site.wallet.authority.renew()
