"""``python -m hub.supervisor.prepare``: bring database, keys and partners' addresses to what this release needs.

Safe to run again; ends with a small file, ``var/run/prepared.json``, that tells the supervisor which pools
Airflow needs (one a partner that is pulled from).
"""

from __future__ import annotations

from foundation.settings import settings
from hub import jobs, migrate, setup_keys
from hub.supervisor.written import write_private

POOL_PREFIX = "partner_"


def main() -> None:
    found = settings()
    migrate.upgrade(found.database_url, movable_clock=found.sandbox)
    setup_keys.main()
    pools = {
        f"{POOL_PREFIX}{each['partner']}": f"一次只有一个拉取任务与 {each.get('name_zh', each['partner'])} 通信"
        for each in jobs.list_pulling_partners()
    }
    write_private(found.var_dir / "run" / "prepared.json", {"pools": pools})


if __name__ == "__main__":
    main()
