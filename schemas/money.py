"""Money: whole fen (1/100 yuan, CNY) and nothing else."""

import re
from decimal import Decimal
from typing import Self

_YUAN = re.compile(r"(?P<sign>-?)(?P<yuan>0|[1-9][0-9]*)(?:\.(?P<cents>[0-9]{1,2}))?", re.ASCII)
_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")


class Fen(int):
    """An amount in fen.

    Takes a whole int only. Raises TypeError on bool, float, Decimal and text: say
    `Fen.from_yuan_text` where a text of yuan is meant. Sums and differences with int or Fen give Fen;
    division is refused, `split_evenly` shares out.
    """

    def __new__(cls, value: int = 0) -> Self:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"Fen takes whole fen as int, not {type(value).__name__}")
        return super().__new__(cls, value)

    @classmethod
    def from_yuan_text(cls, text: str) -> Self:
        """Read yuan text such as "12345.60", exact, at most two decimals. Raises ValueError."""
        if not isinstance(text, str):
            raise TypeError(f"yuan text must be str, not {type(text).__name__}")
        match = _YUAN.fullmatch(text)
        if match is None:
            raise ValueError(f"not an amount of yuan with at most two decimals: {text!r}")
        fen = int(match["yuan"]) * 100 + int((match["cents"] or "").ljust(2, "0"))
        return cls(-fen if match["sign"] else fen)

    @classmethod
    def from_yuan_decimal(cls, amount: Decimal) -> Self:
        """Read an exact Decimal of yuan. Raises ValueError when it is finer than a fen or not finite."""
        if not isinstance(amount, Decimal):
            raise TypeError(f"yuan must be Decimal, not {type(amount).__name__}")
        if not amount.is_finite() or (amount * 100) != (amount * 100).to_integral_value():
            raise ValueError(f"not an exact number of fen: {amount}")
        return cls(int(amount * 100))

    def yuan_text(self) -> str:
        """The amount as yuan text with two decimals, such as "12345.60"; no thousands separators."""
        yuan, cents = divmod(abs(int(self)), 100)
        return f"{'-' if self < 0 else ''}{yuan}.{cents:02d}"

    def __add__(self, other: int) -> "Fen":
        return Fen(int(self) + int(_whole(other)))

    __radd__ = __add__

    def __sub__(self, other: int) -> "Fen":
        return Fen(int(self) - int(_whole(other)))

    def __rsub__(self, other: int) -> "Fen":
        return Fen(int(_whole(other)) - int(self))

    def __mul__(self, times: int) -> "Fen":
        return Fen(int(self) * int(_whole(times)))

    __rmul__ = __mul__

    def __neg__(self) -> "Fen":
        return Fen(-int(self))

    def __abs__(self) -> "Fen":
        return Fen(abs(int(self)))

    def __truediv__(self, other: object) -> "float":
        raise TypeError("money is not divided; use split_evenly")

    __rtruediv__ = __truediv__

    def __repr__(self) -> str:
        return f"Fen({int(self)})"

    def __str__(self) -> str:
        return str(int(self))


def _whole(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"money counts with whole numbers, not {type(value).__name__}")
    return value


def split_evenly(total: Fen, n: int) -> list[Fen]:
    """Share `total` into `n` parts that sum to it exactly; what is left over goes on the last.

    92018.00 in 3 → 30672.66, 30672.66, 30672.68. Raises ValueError when n < 1 or total < 0.
    """
    if n < 1 or total < 0:
        raise ValueError("split_evenly needs n ≥ 1 and a total ≥ 0")
    share = int(total) // n
    return [Fen(share)] * (n - 1) + [Fen(int(total) - share * (n - 1))]


def capital_amount(fen: Fen) -> str:
    """The amount in capital Chinese numerals, as papers and cheques want it: 叁万零陆佰柒拾贰元陆角陆分.

    Source: 支付结算办法 (1997) annex 1, 正确填写票据和结算凭证的基本规定. Raises ValueError below zero or
    at and above 10^16 yuan.
    """
    if fen < 0 or fen >= 10**18:
        raise ValueError("capital amounts are written for 0 ≤ amount < 10^16 yuan")
    yuan, cents = divmod(int(fen), 100)
    jiao, rest = divmod(cents, 10)
    head = _capital_integer(yuan) + "元" if yuan else ""
    if not cents:
        return (head or "零元") + "整"
    tail = _DIGITS[jiao] + "角" if jiao else ("零" if head and rest else "")
    return head + tail + (_DIGITS[rest] + "分" if rest else "整")


def _capital_integer(number: int) -> str:
    for size, name in ((10**8, "亿"), (10**4, "万")):
        if number >= size:
            high, low = divmod(number, size)
            gap = "零" if 0 < low < size // 10 else ""
            return _capital_integer(high) + name + gap + (_capital_integer(low) if low else "")
    return _capital_group(number)


def _capital_group(group: int) -> str:
    out = ""
    zero = False
    for place in range(3, -1, -1):
        digit = group // 10**place % 10
        if digit == 0:
            zero = bool(out)
            continue
        out += ("零" if zero else "") + _DIGITS[digit] + _PLACES[place]
        zero = False
    return out
