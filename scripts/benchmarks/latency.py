"""From just before write(2) of a line to its alert's row being visible to another process."""
import os
import random
import sqlite3
import time

from . import common
from .daemon import Daemon

LINES = 500
LINES_QUICK = 40
RULE = """title: Latency probe
id: 5d0f1a52-6d5b-4f7e-9d26-2f1f6a3f2c11
logsource:
    product: linux
detection:
    selection:
        message|contains: latency-probe
    condition: selection
level: low
"""


def run(setting):
    runs = []
    for number in range(setting.rounds):
        one = measure(setting)
        runs.append(one)
        print(
            f"   {number + 1}: median {one['median_ms']:.2f} ms, p99 {one['p99_ms']:.2f} ms, max {one['max_ms']:.2f} ms; "
            f"fdatasync alone median {one['fdatasync_median_ms']:.2f} ms, p99 {one['fdatasync_p99_ms']:.2f} ms; "
            f"load {one['load'][0]}, others {one['others_cores']} cores", flush=True
        )
    keys = [key for key in runs[0] if key.endswith("_ms")]
    return {
        "lines": LINES_QUICK if setting.quick else LINES, "runs": runs,
        "summary": {key: common.spread([one[key] for one in runs]) for key in keys},
    }


def measure(setting):
    folder = setting.fresh("latency")
    disk = fdatasync(os.path.join(folder, "probe"), 50 if setting.quick else 300)
    rule = os.path.join(folder, "probe.yml")
    with open(rule, "w") as out:
        out.write(RULE)
    watched = os.path.join(folder, "probe.log")
    open(watched, "w").close()
    settings = [
        f"log_pipeline.file.include={watched}", f"detection.rules={rule}", "detection.dedup_window=0",
        "detection.rate_limit_per_rule=0",
    ]
    random_ = random.Random(1)
    delays = []
    with Daemon(setting, folder, settings) as daemon:
        daemon.start()
        time.sleep(1)
        surroundings = common.Surroundings(daemon.pid)
        log = os.open(watched, os.O_WRONLY | os.O_APPEND)
        store = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True, isolation_level=None)
        try:
            for number in range(LINES_QUICK if setting.quick else LINES):
                time.sleep(random_.uniform(0.010, 0.050))
                line = f"Nov 23 01:22:37 web1 app[{number + 1}]: latency-probe {number}\n".encode()
                delays.append(one(store, log, line, number + 1))
        finally:
            os.close(log)
            store.close()
        around = surroundings.figures()
    milliseconds = [delay * 1000 for delay in delays]
    return {
        "median_ms": common.percentile(milliseconds, 0.5), "p99_ms": common.percentile(milliseconds, 0.99),
        "max_ms": max(milliseconds), **disk, **around,
    }


def one(store, log, line, expected, limit=10):
    version = store.execute("PRAGMA data_version").fetchone()[0]
    began = time.perf_counter()
    os.write(log, line)
    while True:
        now = store.execute("PRAGMA data_version").fetchone()[0]
        if now != version:
            version = now
            if (store.execute("SELECT max(seq) FROM alerts").fetchone()[0] or 0) >= expected:
                return time.perf_counter() - began
        elif time.perf_counter() - began > limit:
            raise RuntimeError(f"alert {expected} did not come within {limit} s")


def fdatasync(path, times):
    """What the disk itself takes for one durable write."""
    delays = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    for number in range(times):
        began = time.perf_counter()
        os.pwrite(descriptor, b"x" * 4096, number * 4096)
        os.fdatasync(descriptor)
        delays.append((time.perf_counter() - began) * 1000)
    os.close(descriptor)
    return {
        "fdatasync_median_ms": common.percentile(delays, 0.5), "fdatasync_p99_ms": common.percentile(delays, 0.99),
    }
