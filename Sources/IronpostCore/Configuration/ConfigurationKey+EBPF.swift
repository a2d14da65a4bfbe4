extension ConfigurationSection {
    static let ebpf: [ConfigurationSection] = [
        ConfigurationSection(
            path: "ebpf", summary: "Watching packets in the kernel, and dropping them where they come in. Needs root."),
        ConfigurationSection(path: "ebpf.port_scan", summary: "Alerts `port_scan`: one source, many closed targets."),
        ConfigurationSection(
            path: "ebpf.syn_flood",
            summary: "Alerts `syn_flood` and `syn_ack_reflection`: connections that nobody completes."),
        ConfigurationSection(path: "ebpf.udp_flood", summary: "Alerts `udp_flood`: datagrams without end."),
    ]
}

extension ConfigurationKey {
    static let ebpf: [ConfigurationKey] = [
        ConfigurationKey(
            "ebpf.enabled", \.ebpf.enabled, .engineSwitch,
            "`auto` watches where the host lets it and says why where not; true makes its absence a fault.",
            isRestartOnly: true
        ),
        ConfigurationKey(
            "ebpf.interfaces", \.ebpf.interfaces, .list(of: .interfaceName, called: "interfaces"),
            "Names or shell patterns; those that come later are found. `auto` is the default route's, where watching it "
                + "changes nothing in its driver."
        ),
        ConfigurationKey(
            "ebpf.xdp_mode", \.ebpf.xdpMode, .enumeration,
            "`skb` works with every driver; `native` is faster, and may reset the link of some.", isRestartOnly: true
        ),
        ConfigurationKey(
            "ebpf.mode", \.ebpf.mode, .enumeration,
            "`monitor` looks and counts, `shadow` also counts what it would drop, `enforce` drops it."
        ),
        ConfigurationKey(
            "ebpf.ring_buffer_size", \.ebpf.ringBufferSize, .powerOfTwo(65_536...(1 << 28)),
            "Bytes for records on their way from the kernel; what does not fit is counted.", isRestartOnly: true
        ),
        ConfigurationKey(
            "ebpf.blocklist_max_entries", \.ebpf.blocklistMaxEntries, .integer(1...10_000_000),
            "Networks that a list in the kernel may hold.", isRestartOnly: true
        ),
        ConfigurationKey(
            "ebpf.rules_path", \.ebpf.rulesPath, .path(emptyMeans: "none"),
            "Network rules: a directory of `.toml` files with `[[rules]]`, and of lists (`.list`, `.netset`, `.txt`) of "
                + "addresses to block."
        ),
        ConfigurationKey(
            "ebpf.allow", \.ebpf.allow, .list(of: .networkText, called: "networks"),
            "Addresses and networks whose packets are never dropped, whatever else says so."
        ),
        ConfigurationKey(
            "ebpf.port_scan.enabled", \.ebpf.portScan.isEnabled, .boolean, "Whether to look for scans."),
        ConfigurationKey(
            "ebpf.port_scan.targets", \.ebpf.portScan.targets, .integer(2...256),
            "Different closed (host, port) targets that one source asks for within the window; a probe with flags that "
                + "no connection has counts three times."
        ),
        ConfigurationKey(
            "ebpf.port_scan.window", \.ebpf.portScan.window, .duration(.seconds(1)...(.seconds(3600))),
            "The time that it is for."
        ),
        ConfigurationKey(
            "ebpf.syn_flood.enabled", \.ebpf.synFlood.isEnabled, .boolean,
            "Whether to look for SYN floods and reflected SYN-ACKs."),
        ConfigurationKey(
            "ebpf.syn_flood.packets", \.ebpf.synFlood.packets, .integer(10...10_000_000),
            "Connections to one port that are asked for and not completed within the window."
        ),
        ConfigurationKey(
            "ebpf.syn_flood.window", \.ebpf.synFlood.window, .duration(.seconds(1)...(.seconds(600))),
            "The time that it is for."
        ),
        ConfigurationKey(
            "ebpf.udp_flood.enabled", \.ebpf.udpFlood.isEnabled, .boolean, "Whether to look for UDP floods."),
        ConfigurationKey(
            "ebpf.udp_flood.packets", \.ebpf.udpFlood.packets, .integer(1000...100_000_000),
            "Datagrams to one port within the window: to a closed one, or from many sources."
        ),
        ConfigurationKey(
            "ebpf.udp_flood.window", \.ebpf.udpFlood.window, .duration(.seconds(1)...(.seconds(600))),
            "The time that it is for."
        ),
    ]
}
