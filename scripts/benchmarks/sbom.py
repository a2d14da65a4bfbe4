"""Packages listed, matched and followed: Ironpost, and syft beside it where it is installed (.build/venv, or the PATH)."""
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time

from . import common
from .daemon import Daemon

CORPUS = os.path.join(os.path.dirname(common.ROOT), "shared/corpus/sbom")
LOCKFILES = 44
EMPTY = "empty directory"


def run(setting):
    folder = setting.fresh("sbom")
    cases = inputs(setting, folder)
    tools = {"ironpost": lambda path, out: [setting.program("ironpost"), "sbom", path, "--out", out]}
    syft = find_syft()
    if syft:
        # What is for development it leaves out otherwise, and does less than is compared.
        os.environ["SYFT_JAVASCRIPT_INCLUDE_DEV_DEPENDENCIES"] = "true"
        tools["syft"] = lambda path, out: [syft, "scan", "-q", "dir:" + path, "-o", "cyclonedx-json=" + out]
    runs = []
    for _ in range(setting.rounds):
        for case, path in cases.items():
            for tool, command in tools.items():
                # What takes milliseconds is measured more often than what takes seconds.
                for _ in range(1 if tool == "syft" else 5):
                    surroundings = common.Surroundings()
                    out = os.path.join(folder, "out.json")
                    figures = measure(command(path, out))
                    runs.append(
                        {"case": case, "tool": tool, "packages": packages(out), **figures, **surroundings.figures()})
                print(
                    f"   {case}, {tool}: {figures['wall_s']:.3f} s, {figures['cpu_s']:.3f} s CPU, "
                    f"{figures['resident_bytes'] / 2**20:.0f} MiB, {runs[-1]['packages']} packages", flush=True
                )
    result = {"runs": runs, "summary": summary(runs), "syft": common.output([syft, "--version"]) if syft else None}
    result["ratios"] = ratios(result["summary"])
    result["matching"] = matching(setting, folder, cases)
    result["rescans"] = [rescans(setting, folder, name, path) for name, path in trees(cases)]
    result["findings"] = findings(setting, folder)
    return result


def ratios(summary):
    """How often Ironpost goes into syft: its CPU net of what syft needs for nothing, against all of Ironpost's."""
    result = {}
    for case, tools in summary.items():
        if case == EMPTY or len(tools) < 2:
            continue
        own, peer = tools["ironpost"], tools["syft"]
        net = peer["cpu_s"]["median"] - summary[EMPTY]["syft"]["cpu_s"]["median"]
        own_net = own["cpu_s"]["median"] - summary[EMPTY]["ironpost"]["cpu_s"]["median"]
        result[case] = {
            "cpu": net / own["cpu_s"]["median"], "cpu_both_net": net / max(own_net, 0.0001),
            "wall": peer["wall_s"]["median"] / own["wall_s"]["median"],
            "memory": own["resident_bytes"]["median"] / peer["resident_bytes"]["median"],
        }
        print("   " + case + ": " + ", ".join(f"{key} {value:.2f}" for key, value in result[case].items()), flush=True)
    return result


def matching(setting, folder, cases):
    """All records of the corpus in one index: opened, and the packages of the largest case matched."""
    path = os.path.join(CORPUS, "osv")
    if not os.path.isdir(path):
        return None
    database, records = os.path.join(folder, "vulndb"), os.path.join(folder, "records")
    os.makedirs(records)
    for name in sorted(os.listdir(path)):
        if name.endswith(".tar.xz"):
            with tarfile.open(os.path.join(path, name)) as tar:
                tar.extractall(os.path.join(records, name), filter="data")
    subprocess.run(
        [setting.program("ironpost"), "vulndb", "import", records, "--db", database], check=True, capture_output=True)
    tree = max(cases.values(), key=lambda one: os.path.basename(one) == "lockfiles")
    runs = []
    for _ in range(10 * setting.rounds):
        done = subprocess.run(
            [setting.program("ironpost"), "scan", tree, "--db", database, "--stats", "--out", "/dev/null"],
            check=True, capture_output=True, text=True)
        runs.append(json.loads(done.stderr.strip().splitlines()[-1]))
    figures = {
        "packages": runs[0]["packages"], "advisories": runs[0]["advisories"], "findings": runs[0]["findings"],
        "open_ms": common.spread([one["open_seconds"] * 1e3 for one in runs]),
        "match_us": common.spread([one["match_seconds"] * 1e6 / max(one["packages"], 1) for one in runs]),
    }
    print(f"   {figures}", flush=True)
    return figures


def trees(cases):
    yield next((name, path) for name, path in cases.items() if os.path.basename(path) == "many")
    if os.path.isdir("/usr"):
        yield "/usr of this host", "/usr"


def rescans(setting, folder, name, path):
    """A daemon that looks at an unchanged tree every second."""
    entries = sum(len(folders) + len(files) for _, folders, files in os.walk(path))
    times = []
    wanted = 3 if setting.quick else 10
    settings = [f"sbom.scan_dirs={path}", "sbom.scan_interval=1s", "sbom.watch=false"]
    with Daemon(setting, os.path.join(folder, "rescan-" + os.path.basename(path)), settings) as daemon:
        os.makedirs(os.path.dirname(daemon.data), exist_ok=True)
        daemon.start()
        surroundings, seen, end = common.Surroundings(daemon.pid), 0, time.monotonic() + 120
        while len(times) < wanted and time.monotonic() < end:
            passes, took = looked(daemon)
            # The first look reads everything, and the second what was still new.
            if passes > max(seen, 2):
                seen = passes
                times.append(took)
            time.sleep(0.2)
        figures = {"tree": name, "entries": entries, "ms": common.spread(times), **surroundings.figures()}
    print(f"   {figures}", flush=True)
    return figures


def looked(daemon):
    for module in json.loads(daemon._get("/health")[1])["modules"]:
        found = re.search(r"(\d+) times, the last took ([\d.]+) ms", json.dumps(module))
        if module["name"] == "sbom-scanner" and found:
            return int(found[1]), float(found[2])
    return 0, 0.0


def findings(setting, folder):
    """From a lockfile that is changed to the finding in the store."""
    place = os.path.join(folder, "findings")
    project, database, record = (os.path.join(place, name) for name in ("project", "vulndb", "record.json"))
    os.makedirs(project)
    lock = os.path.join(project, "package-lock.json")

    def change(version):
        with open(lock + ".new", "w") as out:
            json.dump({"lockfileVersion": 3, "packages": {"node_modules/left": {"version": version}}}, out)
        os.rename(lock + ".new", lock)
        return time.monotonic()

    change("2.0.0")
    with open(record, "w") as out:
        json.dump({"id": "X-1", "modified": "2024-01-01T00:00:00Z", "affected": [{
            "package": {"ecosystem": "npm", "name": "left"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]}]}, out)
    subprocess.run(
        [setting.program("ironpost"), "vulndb", "import", record, "--db", database], check=True, capture_output=True)
    times = []
    with Daemon(setting, place, [f"sbom.scan_dirs={project}", f"sbom.vuln_db_path={database}"]) as daemon:
        daemon.start()
        while looked(daemon)[0] == 0:
            time.sleep(0.05)
        surroundings = common.Surroundings(daemon.pid)
        connection = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
        for number in range(3 if setting.quick else 20):
            began = change(f"1.0.{number}")
            purl = f"pkg:npm/left@1.0.{number}".encode()
            while not connection.execute("select 1 from findings where purl = ?", (purl,)).fetchone():
                if time.monotonic() - began > 30:
                    raise RuntimeError("no finding within 30 s")
                time.sleep(0.005)
            times.append((time.monotonic() - began) * 1000)
        connection.close()
        figures = {"changes": len(times), "ms": common.spread(times), **surroundings.figures()}
    print(f"   {figures}", flush=True)
    return figures


def find_syft():
    own = os.path.join(common.ROOT, ".build/venv/bin/syft")
    return own if os.access(own, os.X_OK) else shutil.which("syft")


def inputs(setting, folder):
    """An empty directory, one lockfile, many lockfiles, a host's dpkg database, many files."""
    def made(name):
        path = os.path.join(folder, name)
        os.makedirs(path)
        return path

    cases = {EMPTY: made("empty")}
    lock = made("lockfile")
    archive = os.path.join(CORPUS, "lockfiles/real-projects.tar.xz")
    if os.path.exists(archive):
        tree = made("real")
        with tarfile.open(archive) as tar:
            tar.extractall(tree, filter="data")
        shutil.copy(os.path.join(tree, "nushell/Cargo.lock"), lock)
        cases["one Cargo.lock"] = lock
        cases[f"{LOCKFILES} lockfiles"] = multiply(tree, made("lockfiles"))
    else:
        entries = {f"node_modules/p{number}": {"version": f"1.0.{number}"} for number in range(1000)}
        with open(os.path.join(lock, "package-lock.json"), "w") as out:
            json.dump({"lockfileVersion": 3, "packages": entries}, out)
        cases["one package-lock.json of 1,000 packages"] = lock
    if os.path.exists("/var/lib/dpkg/status"):
        root = made("root")
        os.makedirs(os.path.join(root, "var/lib/dpkg"))
        os.makedirs(os.path.join(root, "etc"))
        shutil.copy("/var/lib/dpkg/status", os.path.join(root, "var/lib/dpkg/status"))
        shutil.copy("/etc/os-release", os.path.join(root, "etc/os-release"))
        cases["a root with this host's dpkg database"] = root
    many = made("many")
    count = 2_000 if setting.quick else 50_000
    generator = random.Random(1)
    for number in range(count):
        directory = os.path.join(many, f"d{number % 97}/e{number % 31}")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, f"f{number}.txt"), "wb") as out:
            out.write(generator.randbytes(512))
    shutil.copy(os.path.join(lock, os.listdir(lock)[0]), many)
    cases[f"{count:,} files and a lockfile"] = many
    return cases


def multiply(source, target):
    """The real lockfiles again and again, each time with other patch versions: so many lockfiles of so many packages."""
    found = sorted(
        os.path.relpath(os.path.join(place, name), source)
        for place, _, names in os.walk(source) for name in names if name != "go.sum")
    for number in range(LOCKFILES):
        copy, path = divmod(number, len(found))
        path = found[path]
        for name in [path] + ([os.path.join(os.path.dirname(path), "go.sum")] if path.endswith("go.mod") else []):
            with open(os.path.join(source, name)) as file:
                text = file.read()
            if copy:
                text = re.sub(
                    r"\b(\d+)\.(\d+)\.(\d+)\b", lambda m: f"{m[1]}.{m[2]}.{int(m[3]) * 100 + copy}", text)
            place = os.path.join(target, f"copy{copy}", name)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "w") as out:
                out.write(text)
    return target


def measure(command):
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if status != 0:
        raise RuntimeError(f"{command[0]} ended with {status}")
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "resident_bytes": usage.ru_maxrss * 1024}


def packages(path):
    """In a process of its own: what this one holds would count as the next one's memory, whose child it is at first."""
    program = (
        "import json, sys; print(len([one for one in json.load(open(sys.argv[1])).get('components', []) "
        "if one.get('type') == 'library']))"
    )
    return int(subprocess.run([sys.executable, "-c", program, path], check=True, capture_output=True, text=True).stdout)


def summary(runs):
    result = {}
    for case in dict.fromkeys(one["case"] for one in runs):
        for tool in dict.fromkeys(one["tool"] for one in runs):
            chosen = [one for one in runs if one["case"] == case and one["tool"] == tool]
            if chosen:
                result.setdefault(case, {})[tool] = {
                    "packages": chosen[-1]["packages"],
                    **{key: common.spread([one[key] for one in chosen]) for key in ("wall_s", "cpu_s", "resident_bytes")},
                }
    return result
