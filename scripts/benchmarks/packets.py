"""What the live kernel program costs a packet, how fast lists get into it, what a flood leaves of the machine.

Peers in the same run: Debian's xdp-filter object `xdpfilt_dny_all`, a program that only passes, a set of nftables.
Two namespaces with a cable of our own; the machine's interfaces are not touched. Needs root.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

from . import common
from .cable import FLOOD_NETWORK, FLOODER, VICTIM, Cable, Watcher, call, datagram, opening, segment

PEER = "/usr/lib/x86_64-linux-gnu/bpf/xdpfilt_dny_all.o"
OWN = os.path.join(common.ROOT, "generated/packets.bpf.o")
NEEDED = ("ip", "nsenter", "bpftool", "taskset", "unshare", "ethtool", "ping")

# Loads the peers into a file system of their own, then runs all programs in turn, round by round, on CPU 1.
ROUNDS = """
mount -t bpf bpf /sys/fs/bpf || exit 1
mkdir /sys/fs/bpf/own
bpftool prog loadall "$OWN" /sys/fs/bpf/own >/dev/null 2>&1
if [ -e "$PEER" ]; then bpftool prog load "$PEER" /sys/fs/bpf/peer >/dev/null 2>&1; fi
run() {
    printf '%s ' "$1"
    taskset -c 1 bpftool prog run "$2" "$3" data_in "$4" repeat "$REPEATS" | grep -o '[0-9]*ns'
}
i=0
while [ $i -lt "$ROUNDS" ]; do
    for name in $NAMES; do run $name id "$PROGRAM" "$FRAMES/$name"; done
    run passes pinned /sys/fs/bpf/own/passes "$FRAMES/data"
    if [ -e /sys/fs/bpf/peer ]; then run peer pinned /sys/fs/bpf/peer "$FRAMES/data"; fi
    i=$((i + 1))
done
"""


def addresses(count):
    """Networks of 24 to 32 bits all over the address space, each another, none of them a benchmark's own."""
    step, value = 2_654_435_761, 0
    seen = 0
    while seen < count:
        value = (value + step) & 0xFFFFFFFF
        first = value >> 24
        if first in (0, 10, 127, 192, 203) or first >= 224:
            continue
        seen += 1
        # Beside the packets that are measured, too, so that their address is looked for among others.
        if seen % 1000 == 0 and seen // 1000 <= 64:
            yield f"203.0.{seen // 1000}.0/24"
            continue
        length = (32, 32, 30, 28)[seen % 4]
        base = value & (0xFFFFFFFF << (32 - length))
        yield f"{base >> 24}.{base >> 16 & 255}.{base >> 8 & 255}.{base & 255}/{length}"


def nanoseconds(setting, cable, folder, names=("data", "syn", "dropped")):
    """The least of several rounds: what the machine can do when nobody disturbs it."""
    frames = os.path.join(folder, "frames")
    os.makedirs(frames, exist_ok=True)
    for name, source, flags in (("data", "203.0.113.7", 24), ("syn", "203.0.113.7", 2), ("dropped", FLOODER, 24)):
        with open(os.path.join(frames, name), "wb") as out:
            out.write(segment(source, flags))
    rounds, repeats = (1, 10_000) if setting.quick else (11, 1_000_000)
    text = call("unshare", "-m", "sh", "-c", ROUNDS, env={
        **os.environ, "OWN": OWN, "PEER": PEER, "PROGRAM": str(cable.program()), "FRAMES": frames,
        "NAMES": " ".join(names), "ROUNDS": str(rounds), "REPEATS": str(repeats)})
    best = {}
    for line in text.splitlines():
        name, value = line.split()
        best[name] = min(best.get(name, 1 << 30), int(value[:-2]))
    return best


def costs(setting):
    """Nanoseconds a packet, with no list and with a million networks, and how fast those get in."""
    many = 10_000 if setting.quick else 1_000_000
    folder = setting.fresh("packets")
    # Blocks are put in force: an import that only stores them says nothing of the kernel.
    settings = (f"ebpf.blocklist_max_entries={many + many // 10 + 10}", "response.mode=enforce")
    with Cable() as cable, Watcher(setting, cable, folder, *settings) as watcher:
        surroundings = common.Surroundings()
        idle = watcher.idle(1 if setting.quick else 10)
        empty = nanoseconds(setting, cable, folder, ("data", "syn"))
        watcher.put([FLOODER])
        watcher.reload()
        one = nanoseconds(setting, cable, folder)
        bans = []
        for _ in range(1 if setting.quick else 3):
            watcher.put([FLOODER, *addresses(many // 10)])
            bans.append(watcher.reload())
            watcher.put([FLOODER])
            watcher.reload()
        watcher.put([FLOODER, *addresses(many)])
        # Answers to pings tell whether the path of packets stands still meanwhile.
        ping = subprocess.Popen(
            cable.attacker("ping", "-q", "-i", "0.002", "-w", "60", VICTIM), stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        loading = watcher.reload()
        time.sleep(0.5)
        ping.send_signal(2)
        summary = ping.communicate()[0]
        full = nanoseconds(setting, cable, folder)
        figures = {
            "idle_cpu_percent": idle, "networks": many, "empty": empty, "one": one, "full": full, "load_seconds": loading,
            "bans": many // 10, "bans_seconds": min(bans), "import_seconds": importing(watcher, many // 10),
            "ping_loss_percent": float(re.search(r"([\d.]+)% packet loss", summary).group(1)),
            "ping_longest_ms": float(re.search(r"= [\d.]+/[\d.]+/([\d.]+)/", summary).group(1)),
            **surroundings.figures(),
        }
        print(f"   {figures}", flush=True)
        return figures


def importing(watcher, count):
    """Seconds that `ironpost block import` takes: each ban with its record, its end and its guardrails."""
    path = os.path.join(watcher.folder, "bans")
    with open(path, "w") as out:
        for index in range(count):
            out.write(f"100.{64 + (index >> 16)}.{index >> 8 & 255}.{index & 255}\n")
    began = time.monotonic()
    watcher.ask("block", "import", "--ttl", "1h", path)
    return time.monotonic() - began


def rate(cable, path, counted, seconds):
    """Packets dropped and sent in a second of a flood as fast as it goes, and dropped in a second of CPU time."""
    flood = cable.flood(path, seconds + 1)
    time.sleep(0.7)
    began, before, busy = time.monotonic(), counted(), cable.busy()
    time.sleep(seconds - 0.6)
    passed, after, busy = time.monotonic() - began, counted(), cable.busy() - busy
    sent = int(flood.communicate()[0])
    return {"dropped": (after - before) / passed, "sent": sent / (seconds + 1), "cpu": busy / passed,
            "capacity": (after - before) / max(busy, 0.01)}


def drops(setting):
    """How many packets of one listed address a CPU drops: nftables' set, and the live program in both modes."""
    seconds, result = (1.5 if setting.quick else 4), {}
    surroundings = common.Surroundings()
    bans = [FLOODER, *addresses(1000)]
    for name in ("nftables", "skb", "native"):
        folder = setting.fresh("drops")
        with Cable(isUrgent=True) as cable:
            path = os.path.join(folder, "frame")
            with open(path, "wb") as out:
                out.write(datagram(FLOODER, cable.hardware()))
            if name == "nftables":
                rules = ("table inet bench {\nset banned { type ipv4_addr; flags interval; elements = { "
                         + ", ".join(bans) + " } }\nchain in {\ntype filter hook prerouting priority raw;\n"
                         "ip saddr @banned counter drop\n}\n}\n")
                subprocess.run(cable.victim("nft", "-f", "-"), input=rules, text=True, check=True)

                def counted():
                    listed = json.loads(call(*cable.victim("nft", "-j", "list", "chain", "inet", "bench", "in")))
                    return next(part["counter"]["packets"] for item in listed["nftables"] if "rule" in item
                                for part in item["rule"]["expr"] if "counter" in part)

                result[name] = rate(cable, path, counted, seconds)
                continue
            with Watcher(setting, cable, folder, f"ebpf.xdp_mode={name}") as watcher:
                watcher.put(bans)
                watcher.reload()
                result[name] = rate(cable, path, lambda: watcher.counted()[1], seconds)
    result = {**result, **surroundings.figures()}
    print(f"   {result}", flush=True)
    return result


def requests(cable, port, seconds):
    """Requests a second that redis answers to eight clients, who ask on as soon as they are answered."""
    process = subprocess.Popen(
        cable.attacker("taskset", "-c", "1", "redis-benchmark", "-h", VICTIM, "-p", str(port), "-t", "get", "-c", "8",
                       "-n", "100000000", "--csv", "-q"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def served():
        text = call(*cable.victim("redis-cli", "-p", str(port), "info", "stats"))
        return int(re.search(r"total_commands_processed:(\d+)", text).group(1))

    time.sleep(0.5)
    began, before = time.monotonic(), served()
    time.sleep(seconds)
    result = (served() - before) / (time.monotonic() - began)
    process.kill()
    process.wait()
    return result


def answered(cable):
    """SYNs that found the queue full, and were answered with a cookie."""
    lines = call(*cable.victim("cat", "/proc/net/netstat")).splitlines()
    names, values = (line.split() for line in lines[:2])
    return int(values[names.index("SyncookiesSent")])


def goodput(setting):
    """What a flood of SYNs to redis' own port leaves of redis, without and with the program that drops it.

    The sender has CPU 0 for itself; redis, its clients, and what takes packets up have CPU 1.
    """
    if not shutil.which("redis-server"):
        return None
    seconds, result, port = (1 if setting.quick else 5), {}, 6399
    surroundings = common.Surroundings()
    # With a program that only passes: what the cable alone makes of a native program.
    for name in ("unprotected", "passing", "protected"):
        folder = setting.fresh("goodput")
        with Cable(isUrgent=True, isGrouped=True) as cable:
            path = os.path.join(folder, "frame")
            with open(path, "wb") as out:
                out.write(opening(port, cable.hardware()))
            cable.answer_through_gateway()
            server = subprocess.Popen(
                cable.victim("taskset", "-c", "1", "redis-server", "--port", str(port), "--save", "", "--bind", "0.0.0.0",
                             "--protected-mode", "no", "--dir", folder), stdout=subprocess.DEVNULL)
            watcher = None
            try:
                if name == "protected":
                    watcher = Watcher(setting, cable, folder, "ebpf.xdp_mode=native").__enter__()
                    watcher.put([FLOOD_NETWORK])
                    watcher.reload()
                elif name == "passing":
                    call("unshare", "-m", "sh", "-c", PASSING, env={
                        **os.environ, "OWN": OWN, "NAMESPACE": cable.inside, "DEVICE": cable.device})
                    cable.pin()
                time.sleep(0.5)
                one = {}
                # Sending takes its share of the machine whether it comes to anybody or not.
                for case, device in (("calm", cable.dead_end()), ("flooded", cable.peer)):
                    flood = cable.flood(path, seconds + 3, FLOOD_TURNS, device, isVaried=True)
                    time.sleep(1)
                    one[case] = requests(cable, port, seconds)
                    one["flood"] = int(flood.communicate()[0]) / (seconds + 3)
                one["answered"] = answered(cable)
                # What is measured is a flood that TCP takes up, and a program that keeps it from doing so.
                if (one["answered"] == 0) != (name == "protected"):
                    raise RuntimeError(f"{name}: {one['answered']} SYNs of the flood were answered")
                result[name] = one
            finally:
                if watcher:
                    watcher.__exit__()
                server.kill()
                server.wait()
    result = {**result, **surroundings.figures()}
    print(f"   {result}", flush=True)
    return result


PASSING = """
mount -t bpf bpf /sys/fs/bpf && mkdir /sys/fs/bpf/own || exit 1
bpftool prog loadall "$OWN" /sys/fs/bpf/own >/dev/null 2>&1 || exit 1
nsenter --net="/run/netns/$NAMESPACE" ip link set dev "$DEVICE" xdpdrv pinned /sys/fs/bpf/own/passes
"""

# What slows the flood that redis is measured under: it is more than the stack takes up, and less than the program drops.
FLOOD_TURNS = 7900


def run(setting):
    missing = [name for name in NEEDED if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        print(f"   passed over: it takes root{' and ' + ', '.join(missing) if missing else ''}", file=sys.stderr)
        return {"costs": None}
    return {"costs": costs(setting), "drops": drops(setting), "goodput": goodput(setting)}
