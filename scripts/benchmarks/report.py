"""docs/benchmarks.md from the JSON files."""
import json
import os

HEAD = """# Benchmarks

<!-- Written by `scripts/bench --report` from .build/bench/*.json. -->

`make bench` takes these figures anew (`scripts/bench NAME` one of them, `--quick` a small one) and writes this page.

All of them come from a shared machine with two cores on which others worked at the same time. Therefore each figure is
taken several times and shown as median (smallest to largest), with the load average before it and the processor cores
that other processes used meanwhile. Figures per CPU second (user and system time of the whole process, its start
included) suffer less from neighbours than figures per second and latencies.
"""
ORDER = ["ingest", "latency", "response", "containers", "detect", "memory", "start", "packets", "sbom"]


def write(folder, path):
    results = {}
    for name in ORDER:
        file = os.path.join(folder, name + ".json")
        if os.path.exists(file):
            with open(file) as found:
                results[name] = json.load(found)
    parts = [HEAD]
    for name, result in results.items():
        parts.append(WRITERS[name](result) + "\n\n" + taken(result) + "\n")
    if not results:
        parts.append("Not measured yet: run `make bench`.\n")
    with open(path, "w") as out:
        out.write("\n".join(parts))
    print(f"   {path}")


def taken(result):
    machine = result["machine"]
    return (
        f"Taken {result['taken']}: {machine['version']} ({machine['commit']}), {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_bytes'] / 2**30:.0f} GiB, {machine['system']}, Linux {machine['kernel']}."
    )


def span(spread, form):
    middle, low, high = (form(spread[key]) for key in ("median", "min", "max"))
    return middle if low == high else f"{middle} ({low} to {high})"


def whole(value):
    return f"{value:,.0f}"


def mebibytes(value):
    return f"{value / 2**20:.1f} MiB"


def microseconds(value):
    return f"{value:.2f} µs"


def milliseconds(value):
    return f"{value:.1f} ms"


def around(runs):
    loads = [one["load"][0] for one in runs]
    others = [one["others_cores"] for one in runs]
    return f"{min(loads)} to {max(loads)}", f"{min(others)} to {max(others)}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def ingest(result):
    names = list(result["runs"])
    summary = result["summary"]
    head = ["", *[{"ironpost": "Ironpost", "rsyslog": " ".join(result.get("peer", "rsyslogd").split(" (")[0].split())}[name] for name in names]]

    def row(title, key, form):
        return [title, *[span(summary[name][key], form) for name in names]]

    rows = [
        row("lines per CPU second", "lines_per_cpu_second", whole),
        row("lines per second", "lines_per_second", whole),
        row("MB per second", "bytes_per_second", lambda value: f"{value / 1e6:.0f}"),
        row("CPU seconds", "cpu_seconds", lambda value: f"{value:.2f}"),
        row("resident, idle before", "rss_idle_bytes", mebibytes),
        row("resident, after", "rss_after_bytes", mebibytes),
        row("resident, peak", "rss_peak_bytes", mebibytes),
        ["load average before", *[around(result["runs"][name])[0] for name in names]],
        ["cores used by others", *[around(result["runs"][name])[1] for name in names]],
    ]
    text = (
        f"## Ingest\n\n{whole(result['lines'])} lines ({result['bytes'] / 1e6:.0f} MB: sshd, sudo, cron, systemd, kernel, mail; "
        "one in a thousand a failed login) appear in a watched directory at once. Ironpost: release build, the shipped rules, a "
        "fresh data directory, until the ledger's hop `detect` has them all; each line is parsed into fields and tried against "
        "the rules, alerts are committed durably. rsyslogd: `imfile` to `omfile`, default template, until the copy has them all; "
        "it does not parse these lines. The two alternate.\n\n" + table(head, rows)
    )
    if "ratios" in result:
        each = ", ".join(f"{ratio:.2f}×" for ratio in result["ratios"])
        text += f"\n\nLines per CPU second, Ironpost to rsyslogd, pair by pair: {each}; median **{summary['ratio']['median']:.2f}×**."
    return text


def latency(result):
    rows = [
        [str(number + 1), milliseconds(one["median_ms"]), milliseconds(one["p99_ms"]), milliseconds(one["max_ms"]),
         f"{milliseconds(one['fdatasync_median_ms'])}, {milliseconds(one['fdatasync_p99_ms'])}", str(one["load"][0]),
         str(one["others_cores"])]
        for number, one in enumerate(result["runs"])
    ]
    middle = result["summary"]
    rows.append(["median", *[f"**{milliseconds(middle[key]['median'])}**" for key in ("median_ms", "p99_ms", "max_ms")],
                 f"{milliseconds(middle['fdatasync_median_ms']['median'])}, {milliseconds(middle['fdatasync_p99_ms']['median'])}",
                 "", ""])
    return (
        f"## Latency\n\n{result['lines']} single lines that match a rule, 10 to 50 ms apart, appended to a followed file: from just "
        "before write(2) until another process sees the alert's row in SQLite (`synchronous=FULL`). No deduplication, no rate "
        "limit. The last columns say how busy disk and processor were with others.\n\n"
        + table(["round", "median", "p99", "largest", "one `fdatasync` of 4 KiB: median, p99", "load before",
                 "cores used by others"], rows)
    )


def response(result):
    if "latency" not in result:
        return "## Response\n\nNot measured: it takes root, ip and nft.\n"
    names = {"ironpost": "Ironpost", "fail2ban": result["peer"] or "fail2ban"}
    latency, lists = result["latency"], result["lists"]
    keys = ("min_ms", "median_ms", "p95_ms", "p99_ms", "max_ms")
    rows = [[names[name], *[milliseconds(figures[key]) for key in keys]] for name, figures in latency.items()]
    around_ = result["around"]
    loads = [
        ["Ironpost, `block import`", whole(lists["count"]), span(lists["ironpost"], seconds)],
        ["`nft -f`", whole(lists["count"]), span(lists["nft"], seconds)],
    ]
    if "fail2ban_s" in lists:
        each = lists["fail2ban_s"] / lists["fail2ban_count"]
        loads.append([
            f"{names['fail2ban']}, `set JAIL banip`", whole(lists["fail2ban_count"]),
            f"{seconds(lists['fail2ban_s'])}, {1000 * each:.1f} ms each",
        ])
    return (
        f"## Response\n\n{result['attacks']} attackers, one after the other, each from its own address with an open connection to "
        "port 22: four failed logins in a followed file, and then, from just before write(2) of the fifth, until the first of "
        "its packets is refused, which are sent every half millisecond. Both programs follow their own copy of the file with "
        "inotify, each in a network namespace of its own, and the attacks on them alternate. Ironpost: the shipped rules and "
        "the built-in policy, `response.mode = \"enforce\"`, alert and intent durable before the block. fail2ban: its jail "
        "`sshd`, `backend = pyinotify`, `banaction = nftables`. "
        f"Load average before: {around_['load'][0]}; cores used by others: {around_['others_cores']}.\n\n"
        + table(["line written to packet refused", "least", "median", "p95", "p99", "largest"], rows)
        + "\n\nAddresses with an end of their own, from the start of the command until all of them are in nf_tables. Ironpost's "
        "are durable by then, and each was held against the guardrails. fail2ban was given fewer: it runs nft once for each. "
        f"Load average before: {lists['load'][0]}; cores used by others: {lists['others_cores']}.\n\n"
        + table(["", "addresses", "time"], loads)
    )


def detect(result):
    rows = []
    for name, runs in result["runs"].items():
        summary = result["summary"][name]
        loads, others = around(runs)
        rows.append([
            name, whole(runs[0]["rules_loaded"]), span(summary["events_per_second"], whole),
            span(summary["events_per_cpu_second"], whole), whole(runs[0]["matches"]),
            f"{runs[0]['candidates_mean']:.2f} ({runs[0]['candidates_p95']})", span(summary["peak_rss_bytes"], mebibytes),
            f"{loads}; {others}",
        ])
    return (
        "## Detection offline\n\n`ironpost detect --stats` over the same file: one thread, from opening the file to the last "
        "match, rules compiled before the clock starts.\n\n"
        + table(["rules", "loaded", "events per second", "events per CPU second", "matches",
                 "rules tried an event, mean (p95)", "peak memory", "load; others"], rows)
    )


def memory(result):
    summary = result["summary"]
    loads, others = around(result["runs"])
    sent = sum(one["datagrams_sent"] for one in result["runs"])
    received = sum(one["datagrams_received"] for one in result["runs"])
    dropped = sum(one["datagrams_dropped"] for one in result["runs"])
    rows = [
        ["idle", span(summary["rss_idle_bytes"], mebibytes)],
        [f"after {whole(result['lines'])} lines", span(summary["rss_after_lines_bytes"], mebibytes)],
        [f"after {result['garbage_bytes'] / 1e6:.0f} MB of random bytes over UDP",
         span(summary["rss_after_garbage_bytes"], mebibytes)],
        ["peak", span(summary["rss_peak_bytes"], mebibytes)],
        ["load average before", loads], ["cores used by others", others],
    ]
    return (
        "## Memory\n\nResident set of the daemon: 10 s after its start, after the corpus, and after random datagrams of 1 to "
        f"8,192 bytes sent to its syslog port: of {whole(sent)} sent in all rounds {whole(received)} were evaluated and "
        f"{whole(dropped)} counted as dropped by the kernel (its buffer was full).\n\n"
        + table(["", "resident"], rows)
    )


def start(result):
    summary = result["summary"]
    loads, others = around(result["runs"])
    rows = [
        ["fresh data directory", span(summary["fresh_ms"], milliseconds)],
        ["after `kill -9`", span(summary["after_kill_ms"], milliseconds)],
        ["CPU time of a start", span(summary["cpu_ms"], milliseconds)],
        ["load average before", loads], ["cores used by others", others],
    ]
    return (
        f"## Start\n\nFrom the start of the process until `/ready` answers 200, {len(result['runs'])} times, the shipped rules "
        "compiled each time.\n\n" + table(["", "Ironpost"], rows)
    )


def packets(result):
    costs = result.get("costs")
    if not costs:
        return "## Packets\n\nNot measured: it takes root, ip, nsenter, bpftool, ethtool and ping.\n"

    def row(name, figures):
        peer = figures.get("peer")
        return [name, str(figures["passes"]), str(figures["data"]), str(figures["syn"]), str(figures.get("dropped", "")),
                "not installed" if peer is None else str(peer)]

    rows = [row("nothing", costs["empty"]), row("the dropped address", costs["one"]),
            row(whole(costs["networks"]) + " networks", costs["full"])]
    text = (
        "## Packets\n\nNanoseconds for one packet (BPF_PROG_TEST_RUN on one CPU, a million times the same packet, the least of "
        "eleven rounds, all programs in turn within each round). The live program has all detectors on and `ebpf.mode` "
        "enforce; beside it a program that only passes, and Debian's object `xdpfilt_dny_all` of xdp-filter.\n\n"
        + table(["listed", "only passing", "TCP data, passed", "SYN, passed", "listed address, dropped",
                 "xdpfilt_dny_all"], rows)
        + f"\n\nThe daemon's and the responder's idle CPU: {costs['idle_cpu_percent']:.2f} % of one core. "
        f"`ironpost reload` of {whole(costs['networks'])} networks: {seconds(costs['load_seconds'])}; "
        f"meanwhile pings every 2 ms lost {costs['ping_loss_percent']:.0f} % and took {costs['ping_longest_ms']:.1f} ms at most. "
        f"Of {whole(costs['bans'])}: {seconds(costs['bans_seconds'])}. `ironpost block import` of {whole(costs['bans'])}, each "
        f"stored with its end and checked by the guardrails: {seconds(costs['import_seconds'])}.\n\n{loads(costs)}\n"
    )
    drops = result["drops"]
    rows = [[name, whole(drops[key]["capacity"]), f"{drops[key]['capacity'] / drops['nftables']['capacity']:.1f}×",
             whole(drops[key]["dropped"]), f"{100 * drops[key]['cpu']:.0f} %", whole(drops[key]["sent"])]
            for name, key in (("a set of nftables (inet, raw)", "nftables"), ("Ironpost, skb mode", "skb"),
                              ("Ironpost, native mode", "native"))]
    text += (
        "\n### Dropping a flood\n\nDatagrams of 60 bytes from one of 1,001 listed networks over a veth cable whose packets are "
        "taken up by a thread on the other CPU, as fast as the sender can. On a virtual machine that thread sleeps while it "
        "is woken, and the cable's 256 places overflow meanwhile; what a program can do is what it drops for a second of CPU.\n\n"
        + table(["", "dropped a CPU second", "beside nftables", "dropped a second", "CPU used", "sent a second"], rows) + "\n\n" + loads(drops) + "\n"
    )
    goodput = result["goodput"]
    if not goodput:
        return text + "\nredis was not installed.\n"
    names = {"unprotected": "no program", "passing": "a program that only passes", "protected": "Ironpost, the network listed"}
    rows = [[name, whole(goodput[key]["calm"]), whole(goodput[key]["flooded"]),
             f"{100 * goodput[key]['flooded'] / goodput[key]['calm']:.0f} %", whole(goodput[key]["flood"])]
            for key, name in names.items()]
    return text + (
        "\n### What a flood leaves of redis\n\nSYNs to redis' own port, each from another of 16,384 addresses of one listed "
        "network and another port, sent by a CPU that has nothing else to do. The other one has redis, eight clients behind "
        "the same cable that send GET requests, and the thread that takes packets up: it goes before them, 50 µs after the "
        "first packet, as a network card's interrupts do. While it is calm, the sender sends as much, to nobody. On a veth "
        "cable any native program costs redis a part: the row of a program that only passes.\n\n"
        + table(["", "calm", "flooded", "left", "flood, packets a second"], rows) + "\n\n" + loads(goodput)
    )


def loads(result):
    return (f"Load average before: {result['load'][0]:.1f}; other programs used {result['others_cores']:.1f} cores "
            "meanwhile (what these benchmarks start counts as such, too).")


def seconds(value):
    return f"{value:.3f} s"


def sbom(result):
    rows = []
    for case, tools in result["summary"].items():
        for tool, figures in tools.items():
            rows.append([
                f"{case}, {tool}", span(figures["wall_s"], seconds), span(figures["cpu_s"], seconds),
                span(figures["resident_bytes"], mebibytes), whole(figures["packages"]),
            ])
    peer = result["syft"] or "syft was not installed"
    parts = [
        f"## Listing packages\n\n`ironpost sbom`, its start included; beside it {peer}. syft's own start is its row for the "
        "empty directory. The 44 lockfiles are six real ones, again and again with other patch versions; syft 1.18 does "
        "not read `uv.lock`.\n\n"
        + table(["", "wall", "CPU", "resident at most", "packages"], rows)
    ]
    if result.get("ratios"):
        parts.append(
            "How often Ironpost's figure goes into syft's: CPU is syft's net of its own start, against all of Ironpost's; "
            "memory is Ironpost's share of syft's.\n\n"
            + table(["", "CPU", "CPU, both net of their start", "wall", "memory"], [
                [case, f"{one['cpu']:.1f} x", f"{one['cpu_both_net']:.1f} x", f"{one['wall']:.1f} x",
                 f"{one['memory']:.2f}"] for case, one in result["ratios"].items()
            ])
        )
    if result.get("matching"):
        one = result["matching"]
        parts.append(
            f"An index of {one['advisories']:,} advisories is opened in {span(one['open_ms'], milliseconds)}; "
            f"{one['packages']:,} packages are matched with it ({one['findings']:,} findings) in "
            f"{span(one['match_us'], microseconds)} each."
        )
    for one in result.get("rescans", []):
        parts.append(
            f"A daemon looks again at {one['tree']} ({one['entries']:,} entries), in which nothing changed, in "
            f"{span(one['ms'], milliseconds)}."
        )
    if result.get("findings"):
        one = result["findings"]
        parts.append(
            f"From a changed lockfile to the finding in the store, {one['changes']} times: {span(one['ms'], milliseconds)}."
        )
    return "\n\n".join(parts)


def containers(result):
    if not result["runs"]:
        return "## Containers\n\nNot measured: it takes root and a Docker engine.\n"
    summary = result["summary"]

    def row(title, name, count):
        return [title, whole(count * len(result["runs"])),
                *[milliseconds(summary[f"{name}_{key}_ms"]) for key in ("median", "p99", "max")]]

    loads, others = around(result["runs"])
    rows = [
        row("alert handed over", "alert_to_frozen", result["lines"]),
        row("line of its log stamped by the engine", "line_to_frozen", result["lines"]),
        row("alert handed over, the engine stopped (SIGSTOP)", "hanging_alert_to_frozen", result["hanging"]),
        row("message sent by syslog, the engine stopped", "hanging_told_to_frozen", result["hanging"]),
        row("`ironpost isolate --action freeze` started", "ironpost_freeze", result["pauses"]),
        row("`ironpost isolate --action pause` started", "ironpost_pause", result["pauses"]),
        row("`docker pause` started", "docker_pause", result["pauses"]),
    ]
    return (
        f"## Containers\n\nUntil a container stands still, by the kernel's freezer, which is looked at every 0.1 ms. A Docker engine "
        f"{result['engine']} with nine containers, of which one acts; a policy freezes it. Whom to freeze is proved, and alert, "
        "decision and intent are durable (`synchronous=FULL`), before anything is done. The last three are commands, from their "
        "start on, in turns.\n\n"
        + table(["from", "times", "median", "p99", "largest"], rows)
        + f"\n\nLoad average before {loads}, cores used by others {others}."
    )


WRITERS = {"ingest": ingest, "latency": latency, "detect": detect, "memory": memory, "start": start, "packets": packets,
           "response": response, "containers": containers, "sbom": sbom}
