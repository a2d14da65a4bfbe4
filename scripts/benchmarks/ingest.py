"""A file that is there at once, until every line is evaluated; beside it rsyslogd copying the same file."""
import os
import shutil
import subprocess
import time

from . import common, corpus
from .daemon import Daemon


def run(setting):
    file, lines = corpus.path(setting)
    size = os.path.getsize(file)
    peer = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:" + os.environ.get("PATH", ""))
    if not peer:
        print("   rsyslogd is not installed: measured without it")
    runs = {"ironpost": []} | ({"rsyslog": []} if peer else {})
    ratios = []
    for number in range(setting.rounds):
        ours = ironpost(setting, file, lines, size)
        runs["ironpost"].append(ours)
        show(number, "ironpost", ours)
        if not peer:
            continue
        theirs = rsyslog(setting, peer, file, lines, size)
        runs["rsyslog"].append(theirs)
        show(number, "rsyslog", theirs)
        ratios.append(ours["lines_per_cpu_second"] / theirs["lines_per_cpu_second"])
        print(f"   {number + 1}: ratio lines per CPU second: {ratios[-1]:.2f}×", flush=True)
    result = {"lines": lines, "bytes": size, "runs": runs, "summary": {}}
    for name, all_ in runs.items():
        result["summary"][name] = {
            key: common.spread([one[key] for one in all_]) for key in all_[0] if isinstance(all_[0][key], (int, float))
        }
    if peer:
        result["peer"] = common.output([peer, "-v"]).split("\n")[0]
        result["ratios"] = ratios
        result["summary"]["ratio"] = common.spread(ratios)
        spread = result["summary"]["ratio"]
        print(f"ratio lines per CPU second: {spread['median']:.2f}× (from {spread['min']:.2f}× to {spread['max']:.2f}×)")
    return result


def show(number, name, one):
    print(
        f"   {number + 1}: {name:9} {common.count(one['lines_per_second']):>10} lines/s "
        f"{common.count(one['lines_per_cpu_second']):>10} lines/CPU s, {one['cpu_seconds']:.2f} CPU s, peak "
        f"{one['rss_peak_bytes'] >> 20} MiB, load {one['load'][0]}, others {one['others_cores']} cores", flush=True
    )


def figures(pid, lines, size, seconds, idle, surroundings):
    # The whole process, its start included.
    cpu = common.cpu_seconds(pid)
    after, peak = common.memory(pid)
    return {
        "seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3), "lines_per_second": lines / seconds,
        "bytes_per_second": size / seconds, "lines_per_cpu_second": lines / max(cpu, 0.01),
        "rss_idle_bytes": idle, "rss_after_bytes": after, "rss_peak_bytes": peak, **surroundings,
    }


def ironpost(setting, file, lines, size):
    folder = setting.fresh("ingest")
    watched = os.path.join(folder, "syslog.log")
    settings = [f"log_pipeline.file.include={watched}", "log_pipeline.file.start_at=beginning"]
    with Daemon(setting, folder, settings) as daemon:
        daemon.start()
        time.sleep(0.5 if setting.quick else 2)
        idle = common.memory(daemon.pid)[0]
        surroundings = common.Surroundings(daemon.pid)
        began = time.monotonic()
        os.link(file, watched)
        daemon.wait_for_events(lines)
        seconds = time.monotonic() - began
        found = figures(daemon.pid, lines, size, seconds, idle, surroundings.figures())
        ledger = daemon.rest()
    found["alerts"] = ledger["store"]["stored"]
    return found


def rsyslog(setting, program, file, lines, size):
    folder = setting.fresh("rsyslog")
    watched = os.path.join(folder, "syslog.log")
    copied = os.path.join(folder, "out.log")
    configuration = os.path.join(folder, "rsyslog.conf")
    with open(configuration, "w") as out:
        out.write(
            f'global(workDirectory="{folder}")\nmodule(load="imfile")\n'
            f'input(type="imfile" file="{watched}" tag="bench")\naction(type="omfile" file="{copied}")\n'
        )
    command = [program, "-n", "-f", configuration, "-i", os.path.join(folder, "pid")]
    with open(os.path.join(folder, "log"), "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        time.sleep(0.5 if setting.quick else 2)
        idle = common.memory(process.pid)[0]
        surroundings = common.Surroundings(process.pid)
        began = time.monotonic()
        os.link(file, watched)
        wait_for_lines(process, copied, lines)
        return figures(process.pid, lines, size, time.monotonic() - began, idle, surroundings.figures())
    finally:
        process.terminate()
        process.wait()


def wait_for_lines(process, path, lines, limit=1200):
    began = time.monotonic()
    found = 0
    file = None
    try:
        while found < lines:
            if process.poll() is not None or time.monotonic() - began > limit:
                raise RuntimeError(f"rsyslogd wrote {found} of {lines} lines")
            if file is None and os.path.exists(path):
                file = open(path, "rb", buffering=0)
            while file and (piece := file.read(1 << 20)):
                found += piece.count(b"\n")
            time.sleep(0.05)
    finally:
        if file:
            file.close()
