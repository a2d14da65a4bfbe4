import Foundation
import Testing

/// Two network namespaces and a cable between them; both go with it.
final class Cable: @unchecked Sendable {
    static let attackerAddress = "10.77.0.2"
    static let victimAddress = "10.77.0.1"
    static let attackerAddress6 = "fd00:77::2"
    static let victimAddress6 = "fd00:77::1"
    /// Another address at the attacker's end.
    static let neighbourAddress = "10.77.0.3"

    let attacker: String
    let victim: String
    /// The victim's end.
    let inside: String
    /// The attacker's end.
    let outside: String

    private static let counter = Counter()

    private final class Counter: @unchecked Sendable {
        private let lock = NSLock()
        private var value = 0
        func next() -> Int {
            lock.lock()
            defer { lock.unlock() }
            value += 1
            return value
        }
    }

    /// Why there can be none here; nil where there can.
    static let obstacle: String? = {
        guard geteuid() == 0 else { return "network namespaces take root" }
        for program in ["ip", "nsenter", "ping", "python3"] where Programs.find(program) == nil {
            return "the \(program) program is not installed"
        }
        // CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; a container's root may lack them.
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let effective = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }?.split(separator: "\t").last
        let needed: UInt64 = 1 << 39 | 1 << 38 | 1 << 12
        guard let held = effective.flatMap({ UInt64($0, radix: 16) }), held & needed == needed else {
            return "loading kernel programs takes CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
        }
        guard FileManager.default.fileExists(atPath: "/sys/kernel/btf/vmlinux") else {
            return "this kernel carries no types (BTF)"
        }
        let name = "ironpost-try-\(getpid())"
        guard let made = try? Programs.run("/usr/bin/env", ["ip", "netns", "add", name]), made.status == 0 else {
            return "network namespaces cannot be made here"
        }
        _ = try? Programs.run("/usr/bin/env", ["ip", "netns", "del", name])
        return nil
    }()

    init() throws {
        let number = Self.counter.next()
        attacker = "ip-a-\(getpid())-\(number)"
        victim = "ip-v-\(getpid())-\(number)"
        inside = "ipv\(getpid() % 100_000)x\(number)"
        outside = "ipa\(getpid() % 100_000)x\(number)"
        var commands = [
            ["netns", "add", attacker], ["netns", "add", victim],
            ["link", "add", outside, "netns", attacker, "type", "veth", "peer", "name", inside, "netns", victim],
            ["-n", attacker, "addr", "add", "\(Self.attackerAddress)/24", "dev", outside],
            ["-n", victim, "addr", "add", "\(Self.victimAddress)/24", "dev", inside],
            ["-n", attacker, "addr", "add", "\(Self.neighbourAddress)/24", "dev", outside],
            ["-n", attacker, "addr", "add", "\(Self.attackerAddress6)/64", "dev", outside, "nodad"],
            ["-n", victim, "addr", "add", "\(Self.victimAddress6)/64", "dev", inside, "nodad"],
            ["-n", attacker, "link", "set", outside, "up"], ["-n", victim, "link", "set", inside, "up"],
            ["-n", attacker, "link", "set", "lo", "up"], ["-n", victim, "link", "set", "lo", "up"],
        ]
        for host in 10...40 { commands.append(["-n", victim, "addr", "add", "10.77.0.\(host)/24", "dev", inside]) }
        for command in commands {
            let output = try Programs.run("/usr/bin/env", ["ip"] + command)
            try #require(output.status == 0, "ip \(command.joined(separator: " ")): \(output.err)")
        }
        try eventually("the cable carries packets") {
            try run(at: attacker, ["/usr/bin/env", "ping", "-c", "1", "-W", "1", Self.victimAddress]).status == 0
        }
    }

    deinit {
        for name in [attacker, victim] { _ = try? Programs.run("/usr/bin/env", ["ip", "netns", "del", name]) }
    }

    /// Programs started from here inherit blocked signals, by which ping and hping3 keep their time.
    private static let unmask = [
        "python3", "-c",
        "import os, signal, sys; signal.pthread_sigmask(signal.SIG_SETMASK, []); "
            + "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])",
    ]

    func run(at namespace: String, _ command: [String]) throws -> Programs.Output {
        try Programs.run("/usr/bin/env", ["nsenter", "--net=/run/netns/\(namespace)", "--"] + Self.unmask + command)
    }

    /// Whether the victim's port 80 takes a connection from this address.
    func reaches(from address: String) throws -> Bool {
        let code = """
            import socket, sys
            try:
                socket.create_connection(("\(Self.victimAddress)", 80), 0.7, ("\(address)", 0)).close()
            except OSError:
                sys.exit(1)
            """
        return try run(at: attacker, ["/usr/bin/env", "python3", "-c", code]).status == 0
    }

    /// Whether the victim answers a ping of this address.
    func answers(from address: String) throws -> Bool {
        try run(at: attacker, ["/usr/bin/env", "ping", "-c", "1", "-W", "1", "-I", address, Self.victimAddress]).status
            == 0
    }

    func start(at namespace: String, _ command: [String], output: String? = nil) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["nsenter", "--net=/run/netns/\(namespace)", "--"] + Self.unmask + command
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        if let output {
            _ = FileManager.default.createFile(atPath: output, contents: nil)
            process.standardOutput = FileHandle(forWritingAtPath: output)
        }
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }
}
