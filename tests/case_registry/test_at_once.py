"""Messages taken at the same moment by several workers: linked as if one after the other, nothing lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import Engine

from case_registry import escrow_summary, find_disputes, rebuilt_hash, state_hash
from foundation.unit_of_work import unit_of_work
from tests.case_registry.make import COURT, MEDIATION, PETITION, episode, person, resident, take


def test_two_agencies_at_once_make_one_dispute(engine: Engine) -> None:
    workers = 3
    ready = Barrier(workers)

    def tell(which: int) -> None:
        ready.wait()
        for n in range(6):
            people = [
                person("周忠", id_number=resident(n)),
                person("欧阳敏海", "respondent", id_number=resident(100 + n)),
            ]
            matter = {
                "cause": "相邻关系纠纷",
                "claimed_fen": 1000 + n,
                "opened_on": "2026-03-01",
                "parties": people,
            }
            told = (
                (COURT, episode(f"C{n}", "TRIAL", sub_id=f"民初{n}号", version=("1",), **matter)),
                (PETITION, episode(f"X{n}", "PETITION", **matter)),
                (MEDIATION, episode(f"M{n}", "MEDIATION", **matter)),
            )[which]
            with unit_of_work(engine) as uow:
                take(uow, *told)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(tell, range(workers)))
    with unit_of_work(engine) as uow:
        rows = find_disputes(uow).rows
        assert len(rows) == 6 and all(len(row["agencies"]) == 3 for row in rows)
        assert state_hash(uow) == rebuilt_hash(uow)


def test_a_message_and_the_escrow_at_once_both_show(engine: Engine) -> None:
    people = [person("周忠", id_number=resident(1)), person("欧阳敏海", "respondent")]
    with unit_of_work(engine) as uow:
        take(uow, MEDIATION, episode("M1", "MEDIATION", "OPEN", parties=people))
    ready = Barrier(2)

    def office() -> None:
        ready.wait()
        for n in range(2, 8):
            with unit_of_work(engine) as uow:
                take(
                    uow,
                    MEDIATION,
                    episode(
                        "M1",
                        "MEDIATION",
                        "AGREED",
                        version=(n,),
                        agreed_on="2026-04-01",
                        agreed_fen=n,
                        parties=people,
                    ),
                )

    def money() -> None:
        ready.wait()
        for n in range(1, 7):
            with unit_of_work(engine) as uow:
                escrow_summary(uow, "M1", {"state": "FUNDED", "flags": [f"HOLD:{n}"]})

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(office), pool.submit(money)]:
            done.result()
    with unit_of_work(engine) as uow:
        row = find_disputes(uow).rows[0]
        assert (row["stage"], row["flags"], row["agreed_fen"]) == ("AGREED", ["HOLD:6"], 7)


def test_what_waited_shows_what_was_committed_meanwhile(engine: Engine) -> None:
    people = [person("周忠", id_number=resident(1)), person("欧阳敏海", "respondent")]
    with unit_of_work(engine) as uow:
        take(uow, MEDIATION, episode("M1", "MEDIATION", "OPEN", parties=people))
    with unit_of_work(engine) as waiting:
        began = waiting.now
        with unit_of_work(engine) as meanwhile:
            assert meanwhile.now > began
            escrow_summary(meanwhile, "M1", {"state": "FUNDED", "flags": ["HOLD:1"]})
        take(
            waiting,
            MEDIATION,
            episode("M1", "MEDIATION", "AGREED", version=(2,), agreed_on="2026-04-01", agreed_fen=7),
        )
    with unit_of_work(engine) as uow:
        assert find_disputes(uow).rows[0]["flags"] == ["HOLD:1"]
        assert state_hash(uow) == rebuilt_hash(uow)
