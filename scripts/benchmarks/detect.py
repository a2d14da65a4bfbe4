"""`ironpost detect` over the corpus: with the shipped rules, and with all of SigmaHQ's for Linux where they are at hand."""
import json
import os
import subprocess
import tarfile

from . import common, corpus

SIGMAHQ = os.environ.get("IRONPOST_SIGMAHQ", os.path.join(common.ROOT, "../shared/corpus/sigma/sigmahq-rules.tar.xz"))


def run(setting):
    file, lines = corpus.path(setting)
    sets = {"shipped": setting.rules}
    linux = sigmahq(setting)
    if linux:
        sets["sigmahq linux"] = linux
    else:
        print("   SigmaHQ's rules are not at hand: measured without them")
    runs = {name: [] for name in sets}
    for number in range(setting.rounds):
        for name, rules in sets.items():
            one = measure(setting, rules, file)
            runs[name].append(one)
            print(
                f"   {number + 1}: {name:14} {one['rules_loaded']} rules, {common.count(one['events_per_second']):>10} events/s, "
                f"{common.count(one['events_per_cpu_second']):>10} events/CPU s, {one['matches']} matches, candidates "
                f"{one['candidates_mean']:.2f} (p95 {one['candidates_p95']}), load {one['load'][0]}, others "
                f"{one['others_cores']} cores", flush=True
            )
    keys = ["events_per_second", "events_per_cpu_second", "peak_rss_bytes"]
    return {
        "lines": lines, "bytes": os.path.getsize(file), "runs": runs,
        "summary": {
            name: {key: common.spread([one[key] for one in all_]) for key in keys} for name, all_ in runs.items()
        },
    }


def measure(setting, rules, file):
    surroundings = common.Surroundings()
    before = os.times()
    command = [setting.program("ironpost"), "detect", "--rules", rules, "--stats", "--output", "count", file]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    found = json.loads(done.stderr.strip().split("\n")[-1])
    return {**found, "cpu_seconds": cpu, "events_per_cpu_second": found["events"] / max(cpu, 0.01), **surroundings.figures()}


def sigmahq(setting):
    """The folder of SigmaHQ's rules for Linux, unpacked once."""
    folder = os.path.join(setting.folder, "sigmahq")
    if not os.path.isdir(folder):
        if not os.path.exists(SIGMAHQ):
            return None
        with tarfile.open(SIGMAHQ) as archive:
            wanted = [
                member for member in archive.getmembers()
                if member.isfile() and "/rules/linux/" in "/" + member.name and member.name.endswith(".yml")
            ]
            for number, member in enumerate(wanted):
                os.makedirs(folder, exist_ok=True)
                with open(os.path.join(folder, f"{number:04}-{os.path.basename(member.name)}"), "wb") as out:
                    out.write(archive.extractfile(member).read())
    return folder if os.path.isdir(folder) else None
