"""What happens to a case's money in a story: payers pay, three people release, the bank answers or does not.

One table of sentences → act. Nothing here sets state: people act over REST under their own log-ins, banks and gateways
by their own stand-ins, and what was really paid is read from those stand-ins' own books.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox.stories import money_desk, money_looks, money_rails
from sandbox.stories.hub_api import HubRefused
from sandbox.stories.pack import Step

if TYPE_CHECKING:
    from sandbox.stories.play import Stage

SUM = r"\d+\.\d{2}"
Act = Callable[[Any, Step, re.Match[str]], list[str]]

SENTENCES: tuple[tuple[str, Act], ...] = (
    # who pays
    (rf"(?P<who>[AR]\d|a third person|nobody named) pays (?P<sum>{SUM}) in(?P<parent> on the escrow account)?"
     r"(?P<masked>, name masked)?(?P<silent>, not told of)?(?:, saying (?P<text>\S+))?", money_rails.pays),
    # people at the desk
    (rf"three people release (?P<sum>{SUM}) to (?P<seat>[AR]\d)(?: for instalment (?P<no>\d+))?", money_desk.release),
    (rf"three people send (?P<sum>{SUM}) back to (?P<seat>[AR]\d|a third person)", money_desk.send_back),
    (rf"(?P<who>cashier\d) drafts (?P<sum>{SUM}) to (?P<seat>[AR]\d)(?: for instalment (?P<no>\d+))?", money_desk.draft),
    (r"(?P<who>\w+) (?P<act>checks|releases|cancels) it", money_desk.sign),
    (rf"two cashiers draft (?P<one>{SUM}) and (?P<two>{SUM}) to (?P<seat>[AR]\d) at once", money_desk.two_cashiers),
    (r"two people share the credit out: (?P<parts>.+)", money_desk.share_out),
    (r"two people take (?P<seat>A\d)'s new account", money_desk.new_account),
    (r"two people decide to deposit (?P<seat>A\d)'s money: (?P<ground>[A-Z_]+)", money_desk.deposit),
    (r"(?P<seat>A\d) is told of the deposit", money_desk.told_of_deposit),
    (r"(?P<seat>A\d) takes the deposit", money_desk.takes_deposit),
    (r"the court sets the agreement aside", money_desk.set_aside),
    (r"a person stops payouts to (?P<seat>A\d): (?P<kind>[A-Z_]+)", money_desk.stop),
    (r"a person resumes payouts", money_desk.resume),
    (r"two people settle the payment on the bank's paper: (?P<outcome>[A-Z_]+)", money_desk.settle),
    (r"the rail is asked about the payment", money_desk.ask),
    (r"the operator (?P<how>pauses|resumes) the rail", money_desk.pause),
    (r"the freeze of (?P<file>\S+) and the release come at once", money_desk.freeze_and_release),
    (r"the cashier closes the differences on the corrected statement", money_looks.close_differences),
    # the bank and the gateway
    (r"the bank takes the next payment and says nothing", money_rails.manner("never_answer")),
    (r"the bank takes the next payment and does nothing", money_rails.manner("manual")),
    (r"the bank carries it out after all", money_rails.carry_out),
    (r"the bank's day ends(?:, its statement (?P<slip>lacks|doubles|cuts off) the (?P<what>payout|deposit))?", money_rails.day_ends),
    (r"the bank sends the statement again, put right", money_rails.restate),
    (rf"the bank moves (?P<sum>{SUM}) to the case's account", money_rails.moves),
    (r"the bank gives the payment back", money_rails.give_back),
    (r"the bank changes its key", money_rails.change_key),
    (r"the operator enters the bank's new certificate", money_rails.enter_certificate),
    (r"the bank sends again what was not taken", money_rails.send_again),
    (r"the gateway pays the next transfer and its answer is lost", money_rails.answer_lost),
    (r"the gateway pays the next transfer and answers late", money_rails.answer_late),
    (r"the late answer arrives", money_rails.late_answer),
    (r"a notice (?P<what>for another merchant|with a forged signature) is not taken", money_rails.bad_notice),
    (r"a notice (?P<what>of another sum) is stored with an alarm", money_rails.bad_notice),
    (r"the gateway repeats its notice (?P<times>\d+) times", money_rails.repeat_notice),
    # looking
    (rf"(?P<rail>bank|alipay)'s own book shows (?P<count>\d+) payouts? of (?P<sum>{SUM}) in all", money_rails.book_shows),
    (r"orders stand (?P<states>.+)", money_looks.orders_stand),
    (r"instalments stand (?P<states>.+)", money_looks.instalments_stand),
    (r"deposits stand (?P<states>.+)", money_looks.deposits_stand),
    (r"recoveries stand (?P<states>.+)", money_looks.recoveries_stand),
    (r"open differences: (?P<states>.+)", money_looks.differences_stand),
)  # fmt: skip
_REFUSED = re.compile(r"(?P<sentence>.+), refused: (?P<code>[A-Z_]+)")


def find_money_act(step: Step) -> Callable[[Any, Step], list[str]] | None:
    """The act of a step's sentence, None where it is another table's. ``…, refused: CODE``: the hub must refuse it."""
    refused = _REFUSED.fullmatch(step.action)
    sentence = refused["sentence"] if refused else step.action
    for words, act in SENTENCES:
        match = re.fullmatch(words, sentence)
        if match:
            return _refused(act, match, refused["code"]) if refused else _plain(act, match)
    return None


def _plain(act: Act, match: re.Match[str]) -> Callable[[Stage, Step], list[str]]:
    return lambda stage, step: act(stage, step, match)


def _refused(act: Act, match: re.Match[str], code: str) -> Callable[[Stage, Step], list[str]]:
    def must_fail(stage: Stage, step: Step) -> list[str]:
        try:
            act(stage, step, match)
        except HubRefused as refused:
            return [] if f"'{code}'" in str(refused) else [f"expected {code}, refused with {refused}"]
        return [f"expected {code}, it was taken"]

    return must_fail
