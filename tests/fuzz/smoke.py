import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.mutate import mutated
from tests.fuzz.reader import tried
from tests.fuzz.readers import READERS

n = int(sys.argv[1])
only = sys.argv[2:]
folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
for r in READERS:
    if only and not any(o in r.name for o in only):
        continue
    f = folder / r.name.replace(" ", "_").replace("/", "_")
    f.mkdir()
    seeds = []
    try:
        seeds = r.seeds()
    except Exception:
        traceback.print_exc()
        continue
    for s in seeds:
        (f / r.file).write_bytes(s)
        try:
            r.read(f / r.file)
        except Exception:
            pass
        try:
            out = tried(r, s, f)
            if out != "answered":
                print(r.name, "SEED", out[:200])
        except BaseException as e:
            print(r.name, "SEED!!", type(e).__name__, str(e)[:300])
            traceback.print_exc(limit=-4)
    rng = random.Random(1)
    t = time.time()
    seen = {}
    ans = 0
    for i in range(n):
        d = mutated(rng.choice(seeds), r.shape, rng, r.longest)
        try:
            ans += tried(r, d, f) == "answered"
        except KeyboardInterrupt:
            raise
        except BaseException as e:
            tb = traceback.extract_tb(e.__traceback__)
            last = [x for x in tb if "/sim/" in x.filename][-1:] or tb[-1:]
            key = (type(e).__name__, last[0].filename.split("/fuzz/")[-1], last[0].lineno)
            if key not in seen:
                seen[key] = d
                print(f"== {r.name}: {key} {str(e)[:160]!r}\n   {d[:160]!r}")
    print(
        f"{r.name:28} {n / (time.time() - t + 1e-9):8.0f}/s answered {ans / max(n, 1):.0%} findings {len(seen)}",
        flush=True,
    )
