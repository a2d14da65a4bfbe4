"""From the start of the process to the first answer that says ready: fresh, and after kill -9."""
import os

from . import common
from .daemon import Daemon


def run(setting):
    runs = []
    for number in range(2 if setting.quick else 4 * setting.rounds):
        folder = setting.fresh("start")
        watched = os.path.join(folder, "auth.log")
        with open(watched, "w") as out:
            out.write("Nov 23 01:22:37 web1 sshd[1]: Server listening on 0.0.0.0 port 22.\n")
        with Daemon(setting, folder, [f"log_pipeline.file.include={watched}"]) as daemon:
            surroundings = common.Surroundings()
            fresh = daemon.start()
            daemon.kill()
            again = daemon.start()
            cpu = common.cpu_seconds(daemon.pid)
        around = surroundings.figures()
        runs.append({"fresh_ms": fresh * 1000, "after_kill_ms": again * 1000, "cpu_ms": cpu * 1000, **around})
    summary = {key: common.spread([one[key] for one in runs]) for key in ("fresh_ms", "after_kill_ms", "cpu_ms")}
    print(
        f"   fresh {summary['fresh_ms']['median']:.0f} ms ({summary['fresh_ms']['min']:.0f} to "
        f"{summary['fresh_ms']['max']:.0f}), after kill -9 {summary['after_kill_ms']['median']:.0f} ms "
        f"({summary['after_kill_ms']['min']:.0f} to {summary['after_kill_ms']['max']:.0f}), load {runs[0]['load'][0]} to "
        f"{runs[-1]['load'][0]}", flush=True
    )
    return {"runs": runs, "summary": summary}
