import Foundation
import Testing

/// The built daemon with its responder, watching the test's engine.
final class GuardedDaemon {
    /// Beside the test bundle.
    static let programs: String = {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: program).deletingLastPathComponent().path
    }()

    static var areBuilt: Bool {
        ["ironpost-daemon", "ironpost-responder", "ironpost"].allSatisfy {
            FileManager.default.isExecutableFile(atPath: "\(programs)/\($0)")
        }
    }

    let directory: String
    var socket: String { directory + "/data/control.sock" }
    var syslog: String { directory + "/syslog.sock" }
    private let settings: [String]
    /// Of the network in which it runs; `nil`: ours.
    private let namespace: String?
    private(set) var process: Process?

    /// - Parameter policy: the action's type, for alerts of high severity in any container.
    convenience init(
        _ name: String, engine: DockerEngine, policy: String, namespace: String? = nil, settings: [String] = []
    ) throws {
        try self.init(name, socket: engine.socket, policy: policy, namespace: namespace, settings: settings)
    }

    init(
        _ name: String, socket: String, policy: String, namespace: String? = nil, settings: [String] = []
    ) throws {
        self.namespace = namespace
        directory = "/tmp/ironpost-guard-\(name)-\(getpid())"
        let files = FileManager.default
        for part in ["rules", "policies"] {
            try files.createDirectory(
                atPath: "\(directory)/\(part)", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o755])
        }
        try """
        title: Attack
        id: 5e0f6f0c-6a57-4b5a-9f58-3c3b7fd1d001
        logsource:
            product: linux
        detection:
            keywords:
                - XATTACKX
            condition: keywords
        level: high
        """.write(toFile: directory + "/rules/attack.yml", atomically: true, encoding: .utf8)
        try """
        title: Connection to the discard port
        id: 5e0f6f0c-6a57-4b5a-9f58-3c3b7fd1d002
        logsource:
            category: network_connection
            product: linux
        detection:
            selection:
                DestinationPort: 9
            condition: selection
        level: high
        """.write(toFile: directory + "/rules/connection.yml", atomically: true, encoding: .utf8)
        try """
        id = "isolate"
        name = "isolate"
        severity_threshold = "medium"
        [target_filter]
        container_names = ["*"]
        [action]
        type = "\(policy)"
        ttl = "10m"
        """.write(toFile: directory + "/policies/isolate.toml", atomically: true, encoding: .utf8)
        self.settings =
            [
                "http.enabled=false", "container.socket=\(socket)", "response.mode=enforce",
                "response.policy_path=\(directory)/policies", "detection.rules=\(directory)/rules",
                "detection.dedup_window=0", "sbom.enabled=false", "log_pipeline.sources=docker,syslog",
                "log_pipeline.syslog.udp=",
                "log_pipeline.syslog.tcp=", "log_pipeline.syslog.unix=\(directory)/syslog.sock", "ebpf.enabled=false",
                "response.budget.minimum=1000",
            ] + settings
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: directory)
    }

    var log: String { (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? "" }
    var pid: Int32 { process?.processIdentifier ?? 0 }

    /// Starts, and waits until the containers are followed.
    func start() throws {
        let process = Process()
        let program = Self.programs + "/ironpost-daemon"
        process.executableURL = URL(fileURLWithPath: namespace == nil ? program : "/usr/bin/nsenter")
        process.arguments =
            (namespace.map { ["--net=\($0)", program] } ?? []) + ["--data-dir", directory + "/data"]
            + settings.flatMap { ["--set", $0] }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        if !FileManager.default.fileExists(atPath: directory + "/log") {
            _ = FileManager.default.createFile(atPath: directory + "/log", contents: nil)
        }
        let log = try #require(FileHandle(forWritingAtPath: directory + "/log"))
        log.seekToEndOfFile()
        process.standardError = log
        try process.run()
        self.process = process
        let isFollowing = try eventually(40) { try list().engine?.state == "following" }
        #expect(isFollowing, "\(self.log.suffix(3000))")
        // An engine makes a directory of what is to be bound into a container and is not there yet.
        let listens = eventually(40) {
            (try? FileManager.default.attributesOfItem(atPath: syslog))?[.type] as? FileAttributeType == .typeSocket
        }
        #expect(listens, "\(self.log.suffix(3000))")
    }

    func kill() {
        guard let process, process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// The responder's workers: the children of the daemon's children.
    var workers: [Int32] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        func children(_ parent: Int32) -> [Int32] {
            all.compactMap { Int32($0) }.filter { child in
                let text = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)) ?? ""
                let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
                return fields.count > 2 && Int32(fields[2]) == parent
            }
        }
        // Without a daemon, whose number is 0, these would be everybody's.
        return pid > 1 ? children(pid).flatMap { children($0) } : []
    }

    /// What the store says of actions that are not over, also while no daemon runs.
    func phases() throws -> [String] { try query("select phase from standing_actions") }

    func count(_ text: String) throws -> Int { Int(try query(text).first ?? "") ?? -1 }

    func query(_ text: String) throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/sqlite3")
        process.arguments = [
            "-cmd", ".timeout 5000", directory + "/data/ironpost.db", text,
        ]
        let out = Pipe()
        process.standardOutput = out
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text.split(separator: "\n").map(String.init)
    }

    struct Output {
        var status: Int32
        var out: String
        var err: String
    }

    /// A command that nobody waits for: its daemon may be killed meanwhile.
    func order(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.programs + "/ironpost")
        process.arguments = arguments + ["--socket", socket]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    @discardableResult
    func ironpost(_ arguments: String...) throws -> Output { try ironpost(arguments) }

    @discardableResult
    func ironpost(_ arguments: [String]) throws -> Output {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.programs + "/ironpost")
        process.arguments = arguments + ["--socket", socket]
        let (out, err) = (Pipe(), Pipe())
        process.standardOutput = out
        process.standardError = err
        try process.run()
        let text = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: err.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Output(status: process.terminationStatus, out: text, err: complaint)
    }

    struct List: Decodable {
        struct Engine: Decodable { var state: String }
        struct Container: Decodable {
            var id: String
            var name: String
            var state: String
        }
        var engine: Engine?
        var containers: [Container]?
    }

    func list() throws -> List {
        let output = try ironpost("containers", "list", "-o", "json")
        return (try? JSONDecoder().decode(List.self, from: Data(output.out.utf8))) ?? List()
    }

    struct Actions: Decodable {
        struct Action: Decodable {
            var id: String
            var target: String
            var state: String
            var guardrail: String?
        }
        var actions: [Action]
    }

    func actions() throws -> [Actions.Action] {
        let output = try ironpost("actions", "list", "-o", "json")
        return try JSONDecoder().decode(Actions.self, from: Data(output.out.utf8)).actions
    }
}
