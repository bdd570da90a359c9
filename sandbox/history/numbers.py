"""Numbers that agencies give, in their own grammars, each once. The only thing the generator remembers."""

from __future__ import annotations

from collections import Counter
from datetime import date


class Numbers:
    """Counters by series and period: a few hundred integers, whatever the number of disputes."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def _next(self, series: str) -> int:
        self._given[series] += 1
        return self._given[series]

    def mediation(self, committee: str, day: date) -> str:
        """瓯栖调〔2026〕云渡0112号: four digits a committee and year."""
        serial = self._next(f"m{day.year}{committee}")
        if serial > 9999:
            raise ValueError(f"no number left for {committee} in {day.year}")
        return f"瓯栖调〔{day.year}〕{committee}{serial:04d}号"

    def petition(self, day: date) -> str:
        """XF, division, 11 digits: year, month, five of a serial."""
        return f"XF330399{day:%Y%m}{self._next(f'p{day:%Y%m}'):05d}"

    def arbitration(self, day: date) -> tuple[str, str]:
        """(caseId, caseNo)."""
        serial = self._next(f"a{day.year}")
        return f"ARB-{day.year}-{serial:06d}", f"({day.year})温仲瓯字第{serial:04d}号"

    def court(self, day: date) -> str:
        """案件标识: 18 digits."""
        return f"3399{day.year}98{self._next(f'c{day.year}'):08d}"

    def case(self, day: date, token: str) -> str:
        """案号 of the county court."""
        return f"({day.year})浙0399{token}{self._next(f'n{day.year}{token}')}号"

    def procuratorate(self, day: date, matter: str) -> str:
        return f"瓯栖检{matter}〔{day.year}〕{self._next(f'j{day.year}{matter}')}号"
