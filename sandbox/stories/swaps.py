"""Two neighbouring messages of a story that arrive the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sandbox.stories import messages
from sandbox.stories.pack import Step, Story


def swaps(story: Story) -> Iterator[int]:
    """Numbers of the steps whose message may arrive after the next step's: both are messages of partners.

    Between two partners there is no order at all; within one, contracts keep the order of one kind only (court, section
    Operations) or none (petition, procuratorate, arbitration by ``sequence``, wallet notices), and what is re-delivered
    comes at any time. An answer is no message of its own: it cannot come before the answer to an earlier call.
    """
    for first, second in zip(story.steps, story.steps[1:], strict=False):
        if _told(first) and _told(second) and not (_answers(first) and _answers(second)):
            yield first.no


def swapped(story: Story, no: int) -> Story:
    """The story with the message of step ``no`` arriving right after the next one, at that one's time.

    Between the two nothing is judged; after both, what the second step expects. Raises ValueError when the contract
    lets no such thing happen.
    """
    if no not in swaps(story):
        raise ValueError(f"steps {no} and {no + 1} of {story.id} cannot be swapped")
    steps = list(story.steps)
    place = next(at for at, step in enumerate(steps) if step.no == no)
    late, early = steps[place], steps[place + 1]
    told = replace(
        early, no=late.no, file=late.file, content=late.content, sender=late.sender, receiver=late.receiver,
        action=late.action, says=late.says, late=True,
    )  # fmt: skip
    steps[place : place + 2] = [replace(early, judged=False), told]
    return replace(story, title=f"{story.title} (step {no} after step {no + 1})", steps=tuple(steps))


def _told(step: Step) -> bool:
    return bool(step.file) and step.sender != "hub"


def _answers(step: Step) -> bool:
    return messages.is_answer(step.content)
