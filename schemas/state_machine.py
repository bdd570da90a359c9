"""State machines as tables: one table each is the source of code, database trigger, diagram and test."""

from collections.abc import Collection
from dataclasses import dataclass, field


class IllegalMove(Exception):
    """The machine has no such move. `machine`, `state` and `event` say which."""

    def __init__(self, machine: str, state: str, event: str) -> None:
        super().__init__(f"{machine}: no move {event!r} from state {state!r}")
        self.machine = machine
        self.state = state
        self.event = event


@dataclass(frozen=True)
class Move:
    """From `state`, on `event`, to `next`; `guard` names what must hold, `effect` what follows."""

    state: str
    event: str
    next: str
    guard: str = ""
    effect: str = ""


@dataclass(frozen=True)
class StateMachine:
    """A named table of moves.

    `initial`: the first state; `final`: states with no way out. Raises ValueError when the table
    contradicts itself (unreachable state, a final state that is left, one event with one guard twice).
    """

    name: str
    initial: str
    moves: tuple[Move, ...]
    final: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        object.__setattr__(self, "moves", tuple(self.moves))
        object.__setattr__(self, "final", frozenset(self.final))
        keys = [(m.state, m.event, m.guard) for m in self.moves]
        if len(keys) != len(set(keys)):
            raise ValueError(f"{self.name}: one event and guard twice from one state")
        left = self.final & {m.state for m in self.moves}
        if left:
            raise ValueError(f"{self.name}: final states are left: {sorted(left)}")
        lost = set(self.states) - self._reachable()
        if lost:
            raise ValueError(f"{self.name}: states nobody reaches: {sorted(lost)}")

    def _reachable(self) -> set[str]:
        seen = {self.initial}
        while True:
            more = {m.next for m in self.moves if m.state in seen} - seen
            if not more:
                return seen
            seen |= more

    @property
    def states(self) -> tuple[str, ...]:
        """All states in the order in which the table names them."""
        order = [self.initial]
        for move in self.moves:
            order += [move.state, move.next]
        return tuple(dict.fromkeys(order + sorted(self.final)))

    @property
    def events(self) -> tuple[str, ...]:
        """All events in the order in which the table names them."""
        return tuple(dict.fromkeys(move.event for move in self.moves))

    def move(self, state: str, event: str, holding: Collection[str] = ()) -> Move:
        """Return the move out of `state` on `event`.

        `holding`: the guards that hold now. A move whose guard is named there goes before the move
        without a guard; where the table has a single move for the event, its guard is the caller's
        own check. Raises IllegalMove.
        """
        found = [m for m in self.moves if m.state == state and m.event == event]
        if len(found) == 1 and not holding:
            return found[0]
        for move in found:
            if move.guard and move.guard in holding:
                return move
        for move in found:
            if not move.guard:
                return move
        raise IllegalMove(self.name, state, event)

    def next(self, state: str, event: str, holding: Collection[str] = ()) -> str:
        """Return the state after `event` (see `move`). Raises IllegalMove."""
        return self.move(state, event, holding).next

    def allows(self, state: str, event: str) -> bool:
        """Whether the table has any move out of `state` on `event`."""
        return any(m.state == state and m.event == event for m in self.moves)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All legal (from, to) pairs, sorted; the database trigger is filled from these."""
        return tuple(sorted({(m.state, m.next) for m in self.moves}))

    def mermaid(self) -> str:
        """The diagram of the table, as Mermaid text."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial}"]
        for m in self.moves:
            label = m.event + (f" [{m.guard}]" if m.guard else "") + (f" / {m.effect}" if m.effect else "")
            lines.append(f"    {m.state} --> {m.next}: {label}")
        lines += [f"    {state} --> [*]" for state in sorted(self.final)]
        return "\n".join(lines) + "\n"
