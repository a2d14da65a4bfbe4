import Foundation
import Testing

/// The built daemon as a process of its own, with its own data directory, socket and ports.
final class DaemonProcess: @unchecked Sendable {
    let data: String
    private let arguments: [String]
    private var process: Process?
    private(set) var starts = 0

    /// - Parameters:
    ///   - data: the data directory; kept over `kill` and `start`.
    ///   - settings: `KEY=VALUE` for `--set`.
    ///   - namespace: the network namespace to run in; the API over TCP is not reached from outside then.
    init(data: String, settings: [String] = [], program: String = Programs.daemon, namespace: String? = nil) {
        self.data = data
        self.namespace = namespace
        port = HTTPGet.freePort()
        let base = ["http.listen=127.0.0.1:\(port)", "log_pipeline.sources=file", "sbom.enabled=false"]
        arguments = ["--data-dir", data] + (base + settings).flatMap { ["--set", $0] }
        self.program = program
    }

    /// - Parameter configuration: a file, which the test writes, in place of `--set`.
    init(data: String, configuration: String, namespace: String? = nil) {
        self.data = data
        self.namespace = namespace
        port = HTTPGet.freePort()
        arguments = ["-c", configuration]
        program = Programs.daemon
    }

    /// Resident memory now.
    var residentKilobytes: Int {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }

    private let program: String
    private let namespace: String?
    let port: Int

    deinit {
        kill()
    }

    var log: String { (try? String(contentsOfFile: data + ".log", encoding: .utf8)) ?? "" }
    var database: String { data + "/ironpost.db" }
    var pid: Int32 { process?.processIdentifier ?? 0 }
    var isRunning: Bool { process?.isRunning ?? false }

    func launch(environment: [String: String] = [:]) throws {
        let process = Process()
        if let namespace {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
            process.arguments = ["--net=/run/netns/\(namespace)", "--", program] + arguments
        } else {
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = arguments
        }
        // Tests never touch the machine's own interfaces; those that watch packets have namespaces of their own.
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("IRONPOST_") }
            .merging(["IRONPOST_EBPF_ENABLED": "false"]) { $1 }.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        if !FileManager.default.fileExists(atPath: data + ".log") {
            _ = FileManager.default.createFile(atPath: data + ".log", contents: nil)
        }
        let log = try #require(FileHandle(forWritingAtPath: data + ".log"))
        log.seekToEndOfFile()
        process.standardError = log
        try process.run()
        self.process = process
        starts += 1
    }

    /// Starts and waits until it says that it is ready.
    /// - Returns: how long that took.
    @discardableResult
    func start(
        environment: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Duration {
        let begin = ContinuousClock.now
        try launch(environment: environment)
        let isReady = eventually("daemon is ready", within: .seconds(60), sourceLocation: sourceLocation) {
            if !isRunning { return true }
            return self.isReady()
        }
        if !isReady {
            let status = try? Programs.run(
                Programs.ironpost, ["--socket", data + "/control.sock", "status", "-v", "-o", "json"])
            Issue.record(
                "\(status?.out ?? "")\(status?.err ?? "")\n\(log.suffix(4000))", sourceLocation: sourceLocation)
        }
        if !isRunning { Issue.record("daemon ended: \(log.suffix(2000))", sourceLocation: sourceLocation) }
        return ContinuousClock.now - begin
    }

    func isReady() -> Bool {
        if namespace == nil { return HTTPGet.status(port: port, path: "/ready") == 200 }
        return (try? ironpost("status", "-o", "json"))?.out.contains("\"ready\" : true") == true
    }

    /// SIGKILL; returns when the process is gone.
    func kill() {
        guard let process, process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// A signal, and then the exit status; nil when it did not end in time.
    func end(_ signal: Int32 = SIGTERM, within limit: Duration = .seconds(40)) -> Int32? {
        guard let process else { return nil }
        Foundation.kill(process.processIdentifier, signal)
        guard eventually("daemon ends after signal \(signal)", within: limit, { !process.isRunning }) else {
            return nil
        }
        return process.terminationStatus
    }

    func ironpost(_ arguments: String...) throws -> Programs.Output {
        try Programs.run(Programs.ironpost, ["--socket", data + "/control.sock"] + arguments)
    }

    /// Asks the database with the sqlite3 program: what is on disk, not what the daemon says.
    func sql(_ query: String) throws -> String {
        let sqlite = try #require(Programs.find("sqlite3"), "the sqlite3 program is not installed")
        let output = try Programs.run(sqlite, ["-batch", "-noheader", "-cmd", ".timeout 5000", database, query])
        return output.out.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func count(_ query: String) throws -> Int { Int(try sql(query)) ?? 0 }

    /// The ledger of the final statistics in the log: hop → (accepted, stored, dropped).
    func finalStatistics() -> [String: (accepted: Int, stored: Int, dropped: Int)] {
        var hops: [String: (Int, Int, Int)] = [:]
        for line in log.split(separator: "\n") where line.contains("final statistics") {
            guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
                let metadata = object["metadata"] as? [String: Any], let hop = metadata["hop"] as? String
            else { continue }
            func number(_ key: String) -> Int {
                (metadata[key] as? String).flatMap { Int($0) } ?? metadata[key] as? Int ?? 0
            }
            let dropped = metadata.keys.filter { $0.hasPrefix("dropped.") }.map(number).reduce(0, +)
            hops[hop] = (number("accepted"), number("stored"), dropped)
        }
        return hops
    }
}

/// The smallest HTTP client: one request on loopback.
enum HTTPGet {
    /// One datagram to a port of loopback.
    static func send(_ text: String, toPort port: Int, over descriptor: Int32) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let bytes = Array(text.utf8)
        _ = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// A TCP port of loopback that nobody uses now.
    static func freePort() -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe bind(descriptor, $0, length)
                _ = unsafe getsockname(descriptor, $0, &length)
            }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    static func status(port: Int, path: String) -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { return nil }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n".utf8)
        guard unsafe write(descriptor, request, request.count) == request.count else { return nil }
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(descriptor, &buffer, buffer.count)
        guard count > 12 else { return nil }
        return Int(String(decoding: buffer[9..<12], as: UTF8.self))
    }
}
