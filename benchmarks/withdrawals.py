"""Withdrawals killed at random steps and run again: is anything left of the person, is anything lost of the others?

On SQLite and on PostgreSQL, each with backups of three booths of which one is switched off and started later; what is left is
looked for byte by byte in every file, and in the server's own files after a checkpoint.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

KILLS = 50


def run(url: str, folder: Path, server: Any = None, kills: int = KILLS, seed: int = 0) -> dict[str, Any]:
    """Build the world once, then kill a copy of it `kills` times; what was found after each second run is counted."""
    from sqlalchemy.engine import make_url

    from experiment.data.store import Store
    from tests.tastelab.killed import CODE, World, again, steps

    began = time.monotonic()
    world = World(folder / "world", url)
    world.folder.mkdir()
    world.build()
    kept = folder / "kept"
    shutil.copytree(world.folder, kept)
    everybody = world.others()
    master = str(make_url(url).database)
    found = {
        "signs_before": len(world.signs()),
        "kills": 0,
        "files_with_signs": 0,
        "said_too_early": 0,
        "others_lost": 0,
    }
    found["server_files_with_signs"] = 0
    total, rng = 0, random.Random(seed)
    for k in range(kills + 1):
        again(kept, world)
        this = World(world.folder, url if server is None else server.copied(f"{master}_{k}", master))
        if k == 0:
            total = steps(this.withdraw)
        else:
            assert steps(this.withdraw, rng.randrange(1, total)) == 0
            found["kills"] += 1
        found["said_too_early"] += this.withdraw()
        this.start_the_booth()
        found["files_with_signs"] += len(this.signs())
        now = {name.replace("booth3.off", "booth3"): rows for name, rows in this.others().items()}
        found["others_lost"] += now != {name.replace("booth3.off", "booth3"): rows for name, rows in everybody.items()}
        if server is not None:
            store = Store(this.url)
            found["server_files_with_signs"] += len(server.holding(store, ["UNMISTAKABLE", CODE]))
            store.close()
    return {**found, "steps": total, "seconds": round(time.monotonic() - began, 1)}


def withdrawals(kills: int = KILLS) -> dict[str, Any]:
    """Both databases."""
    from tests.postgres import Postgres

    out = {}
    with tempfile.TemporaryDirectory() as folder:
        out["sqlite"] = run(f"sqlite:///{folder}/world/participants.db", Path(folder), None, kills)
    server = Postgres()
    try:
        with tempfile.TemporaryDirectory() as folder:
            out["postgresql"] = run(server.database("withdrawals"), Path(folder), server, kills)
    finally:
        server.close()
    return out


if __name__ == "__main__":
    print(json.dumps(withdrawals(int(sys.argv[1]) if sys.argv[1:] else KILLS), indent=1))
