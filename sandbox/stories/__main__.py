"""``python -m sandbox.stories NAME… | all``: play stories against a running hub and running stand-ins."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

from sandbox.rewrite import rewrite_story
from sandbox.stories.hub_api import HubApi, Patience
from sandbox.stories.judge import find_dispute
from sandbox.stories.pack import PACKS, Story, UnknownStory, load, story_folder, story_names
from sandbox.stories.play import StepResult, as_dict, play
from sandbox.stories.stand_ins import StandIns
from sandbox.stories.swaps import swapped, swaps

MOST_SEEDS = 10_000


def main() -> int:
    """Exit 0 only if every step of every story matched."""
    options = _options()
    Patience.least_s = options.patience
    hub = HubApi(options.hub, json.loads(Path(options.logins).read_text(encoding="utf-8")))
    stand_ins = StandIns(options.stand_in)
    names = story_names() if options.names == ["all"] else options.names
    failed = 0
    try:
        runs = [(name, no) for name in names for no in _orders(name, swap=options.swap)]
    except UnknownStory as unknown:
        print(unknown, file=sys.stderr)
        return 2
    for name, no in runs:
        story = _fresh(hub, name, options.seed)
        story = swapped(story, no) if no else story
        if not options.json:
            print(f"— {story.id} {story.title}", flush=True)
        results = play(hub, stand_ins, story, partial(_report, story, as_json=options.json))
        failed += any(result.wrong for result in results)
    if not options.json:
        print(f"{len(runs) - failed} of {len(runs)} stories matched at every step", flush=True)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="concord story")
    parser.add_argument("names", nargs="+", help=f"stories, or all: {', '.join(story_names())}")
    parser.add_argument("--hub", required=True)
    parser.add_argument("--stand-in", action="append", required=True)
    parser.add_argument("--logins", required=True, help="JSON file: log-in name → password")
    parser.add_argument("--seed", type=int, default=None, help="rewrite names, sums, dates, ids by this seed")
    parser.add_argument(
        "--swap",
        type=int,
        help="this step's message arrives after the next one's; 0: each pair that may, in turn",
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds to wait at least, wherever it waits"
    )
    return parser.parse_args()


def _orders(name: str, *, swap: int | None) -> list[int]:
    """0 for a story as it is told; else the steps whose message is to come after the next one's. Raises UnknownStory."""
    folder = story_folder(name)
    if swap is None:
        return [0]
    return [swap] if swap else list(swaps(_rewritten(folder, 0)))


def _fresh(hub: HubApi, name: str, seed: int | None) -> Story:
    """The story by the seed asked for; without one, the first seed whose disputes the hub has not met."""
    folder = story_folder(name)
    if seed is not None:
        return _rewritten(folder, seed)
    for each in range(MOST_SEEDS):
        story = _rewritten(folder, each)
        if not any(find_dispute(hub, row)["dispute"] for row in story.disputes.values()):
            return story
    raise RuntimeError(f"story {name} was played {MOST_SEEDS} times in this database")


def _rewritten(folder: Path, seed: int) -> Story:
    own = folder / "disputes.csv"
    disputes = own if own.exists() else PACKS[1] / "disputes.csv"
    if seed == 0:
        return load(folder, disputes)
    target = Path(tempfile.mkdtemp(prefix=f"concord-story-{folder.name}-"))
    rewrite_story(folder, disputes, target, seed)
    return load(target, target / "disputes.csv")


def _report(story: Story, step: StepResult, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"story": story.id, **as_dict(step)}, ensure_ascii=False), flush=True)
        return
    mark = "✗" if step.wrong else "✓"
    what = f"{step.what} {step.message_id}".strip()
    print(
        f" {mark} {step.no:>2} {step.at} {step.sender} → {step.receiver}  {what}  | {step.shown}  ({step.ms} ms)",
        flush=True,
    )
    for each in step.wrong:
        print(f"      {each}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
