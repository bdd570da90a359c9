"""Made-up people, companies and numbers for rewritten stories; checks of ids, codes and cards stay right."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import date, timedelta

from schemas.identifiers import (
    birth_date,
    check_resident_id,
    credit_check_character,
    luhn,
    resident_check_digit,
)

SURNAMES = "赵钱孙周吴郑冯陈褚卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜戚谢邹苏潘葛范彭郎鲁韦马苗方俞任袁柳鲍史唐费薛雷贺汤罗毕郝安常于傅"
GIVEN = (
    "安邦彬波博昌超辰诚春达德东栋恩芬峰福刚光国海涵浩和宏华慧佳嘉建健洁静娟军君凯康兰岚乐磊丽莉亮琳玲龙露满梅敏明娜宁鹏萍琪强勤清"
    "荣蓉瑞珊诗思涛婷伟文霞祥晓欣雪雅妍燕阳怡颖永勇玉远悦云泽哲真志智洲"
)
DOTTED = (
    "阿依古丽·艾合买提",
    "热依汗·吐尔逊",
    "帕提古丽·阿不都",
    "努尔兰·哈力克",
    "迪丽努尔·麦麦提",
    "阿曼古丽·肉孜",
)
SHOP = "祥瑞丰盈昌隆顺和泰恒永晟润宏达兴源合嘉禾信诚远航"
TRADES = (
    "鞋业", "医院", "电器", "农业开发", "建筑劳务", "餐饮管理", "阀门制造", "餐饮", "建筑", "农业", "服装", "物业", "商贸", "机械",
)  # fmt: skip
CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def source(seed: int, kind: str, value: str) -> random.Random:
    """Random numbers that depend on the seed and the value replaced only."""
    return random.Random(f"{seed}|{kind}|{value}")


class Replacements:
    """Old value → new value of one kind; no two old values get the same new one, none stays as it was."""

    def __init__(self, seed: int, kind: str, make: Callable[[str, random.Random], str]) -> None:
        self._seed, self._kind, self._make = seed, kind, make
        self.known: dict[str, str] = {}
        self._used: set[str] = set()

    def __call__(self, old: str) -> str:
        if old not in self.known:
            numbers = source(self._seed, self._kind, old)
            for _ in range(1000):
                new = self._make(old, numbers)
                if new != old and new not in self._used:
                    break
            else:
                raise ValueError(f"no new {self._kind} for {old}")
            self._used.add(new)
            self.known[old] = new
        return self.known[old]


def person(old: str, numbers: random.Random) -> str:
    """A person's name of the same make: with a middle dot, with its rare characters, of the same length."""
    if "·" in old:
        return numbers.choice(DOTTED)
    rare = [char for char in old[1:] if not "\u4e00" <= char <= "\u9fa5"]
    given = [numbers.choice(GIVEN) for _ in range(max(len(old) - 1 - len(rare), 0))] + rare
    return numbers.choice(SURNAMES) + "".join(given)


def company(old: str, numbers: random.Random) -> str:
    """A company of the same trade and form under another firm name."""
    trade = next((each for each in TRADES if each in old), "")
    tail = old[old.index(trade) :] if trade else old[max(len(old) - 6, 2) :]
    return old[:2] + "".join(numbers.sample(SHOP, 3)) + tail


def resident_id(old: str, numbers: random.Random) -> str:
    """Another valid id of 330399: born within 300 days of the old one, same gender place. A wrong old one stays wrong."""
    folded = old.upper()
    born = birth_date(folded) or date(1980, 1, 1)
    new_day = born + timedelta(days=numbers.randint(-300, 300))
    gender = int(folded[16]) % 2
    first = f"330399{new_day:%Y%m%d}{numbers.randint(10, 98)}{numbers.randrange(gender, 10, 2)}"
    check = resident_check_digit(first)
    if check_resident_id(folded) == "ID_CHECK_DIGIT":
        check = "0" if check != "0" else "1"
    return first + (check.lower() if old[-1] == "x" else check)


def credit_code(old: str, numbers: random.Random) -> str:
    """Another credit code of the same department, kind and division, its own and the inner check right."""
    body = "MA" + "".join(numbers.choice(CREDIT) for _ in range(6))
    total = sum(int(char, 36) * weight for char, weight in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    inner = "0123456789X0"[11 - total % 11] if total % 11 else "0"
    first = old[:8] + body + inner
    return first + credit_check_character(first)


def digits(numbers: random.Random, count: int) -> str:
    return "".join(str(numbers.randrange(10)) for _ in range(count))


def phone(old: str, numbers: random.Random) -> str:
    return old[:5] + digits(numbers, len(old) - 5)


def account(old: str, numbers: random.Random) -> str:
    """An account with the same beginning (bank, kind); a card's Luhn digit stays right."""
    kept = 13 if old.startswith("9900339900000") else 10
    new = old[:kept] + digits(numbers, len(old) - kept)
    if not luhn(old):
        return new
    return next(new[:-1] + str(last) for last in range(10) if luhn(new[:-1] + str(last)))


def tail(kept: int) -> Callable[[str, random.Random], str]:
    """Keeps the first `kept` characters and makes the digits behind them new."""

    def make(old: str, numbers: random.Random) -> str:
        return old[:kept] + digits(numbers, len(old) - kept)

    return make


def serial(old: str, numbers: random.Random) -> str:
    """A serial of a case number, given as `prefix|serial`: four digits for ours, five for the others'."""
    prefix, _, _ = old.rpartition("|")
    low = 1000 if prefix.endswith("4") else 10_000
    return f"{prefix}|{numbers.randrange(low, low * 10)}"


def house(old: str, numbers: random.Random) -> str:
    """A house number with its 号."""
    return f"{numbers.randint(1, 999)}号"


def event_id(old: str, numbers: random.Random) -> str:
    return str(uuid.UUID(int=numbers.getrandbits(128), version=4))


def order_digits(old: str, numbers: random.Random) -> str:
    """OQ27000005 or OQAL202700000009: the letters stay, the digits are new."""
    letters = old.rstrip("0123456789")
    return letters + digits(numbers, len(old) - len(letters))


def base36(number: int) -> str:
    """A seed as capital letters and digits, for message ids."""
    marks = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    number, text = abs(number), ""
    while True:
        number, place = divmod(number, 36)
        text = marks[place] + text
        if not number:
            return text
