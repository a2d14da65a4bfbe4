import Foundation
import Synchronization
import Testing

/// A program that runs beside the daemon; ended with this.
final class Peer: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()

    /// - Parameter log: what it says, for a failed test to show.
    init(_ program: String, _ arguments: [String], log: String? = nil) throws {
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        if let log {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
            let handle = FileHandle(forWritingAtPath: log)
            process.standardOutput = handle
            process.standardError = handle
        }
        try process.run()
    }

    deinit {
        end()
    }

    var isRunning: Bool { process.isRunning }

    func say(_ text: String) { input.fileHandleForWriting.write(Data(text.utf8)) }

    func closeInput() { try? input.fileHandleForWriting.close() }

    func end(_ signal: Int32 = SIGKILL) {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, signal)
        process.waitUntilExit()
    }
}

/// What tests of whole programs need from the machine; a test that lacks it is passed over, and says so.
enum Needs {
    static let logrotate = "logrotate is not installed"
    static let rsyslog = "rsyslogd or logger is not installed"
    static let logger = "logger is not installed"
    static let journal = "systemd-journal-remote is not installed"
    static let otherUser = "setpriv is not installed, or the tests do not run as root"

    static var hasLogrotate: Bool { Programs.find("logrotate") != nil }
    static var hasRsyslog: Bool { Programs.find("rsyslogd") != nil && hasLogger }
    static var hasLogger: Bool { Programs.find("logger") != nil }
    static var hasJournal: Bool { Programs.find("systemd-journal-remote") != nil }
    static var hasOtherUser: Bool { Programs.find("setpriv") != nil && geteuid() == 0 }
}

/// Appends numbered lines on a thread of its own, can be told to pause, and reopens its file when told to, as a daemon
/// does after logrotate's `postrotate`.
final class RotatedWriter: Sendable {
    private struct State {
        var written = 0
        var isPaused = false
        var isPausing = false
        var isStopping = false
    }

    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - marker: a file that, once it is there, means: open the log anew, and remove the marker.
    ///   - text: what is appended for a number.
    init(
        to log: LogFile, perSecond: Int, marker: String? = nil,
        text: @escaping @Sendable (Int) -> String = NumberedLines.line
    ) {
        Thread.detachNewThread { [self] in
            var credit = ContinuousClock.now
            while true {
                let (isStopping, isPausing) = state.withLock { ($0.isStopping, $0.isPausing) }
                if isStopping { break }
                state.withLock { $0.isPaused = isPausing }
                if let marker, FileManager.default.fileExists(atPath: marker) {
                    log.reopen()
                    unsafe unlink(marker)
                }
                if !isPausing {
                    for _ in 0..<10 {
                        log.append(text(state.withLock { $0.written })); state.withLock { $0.written += 1 }
                    }
                }
                credit += .milliseconds(10_000 / perSecond)
                let wait = ContinuousClock.now.duration(to: credit) / .milliseconds(1)
                poll(nil, 0, Int32(max(1, min(100, wait))))
                if wait < -1000 { credit = .now }
            }
            ended.signal()
        }
    }

    var count: Int { state.withLock { $0.written } }

    /// Returns when nothing is being written.
    func pause() {
        state.withLock { $0.isPausing = true }
        eventually("the writer pauses") { state.withLock { $0.isPaused } }
    }

    func resume() { state.withLock { $0.isPausing = false } }

    /// - Returns: how many lines were written.
    func stop() -> Int {
        state.withLock { $0.isStopping = true }
        ended.wait()
        return count
    }
}

/// A TCP client of the simplest kind.
final class TCPClient {
    private(set) var descriptor: Int32

    init?(port: Int) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let descriptor = descriptor
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 {
            Glibc.close(descriptor)
            return nil
        }
    }

    deinit {
        Glibc.close(descriptor)
    }

    /// False: the peer does not take it.
    @discardableResult
    func send(_ bytes: [UInt8], waiting: Bool = true) -> Bool {
        let flags = Int32(MSG_NOSIGNAL) | (waiting ? 0 : Int32(MSG_DONTWAIT))
        return unsafe Glibc.send(descriptor, bytes, bytes.count, flags) == bytes.count
    }

    @discardableResult
    func send(_ text: String, waiting: Bool = true) -> Bool { send(Array(text.utf8), waiting: waiting) }
}

extension DaemonProcess {
    /// `ironpost status -o json`; empty when the daemon did not answer.
    func status() throws -> [String: Any] {
        let output = try ironpost("status", "-v", "-o", "json")
        return try JSONSerialization.jsonObject(with: Data(output.out.utf8)) as? [String: Any] ?? [:]
    }

    func module(_ name: String) throws -> [String: Any] {
        let modules = try status()["modules"] as? [[String: Any]] ?? []
        return modules.first { $0["name"] as? String == name } ?? [:]
    }

    /// One hop of the live ledger.
    func hop(_ name: String) throws -> (accepted: Int, stored: Int, dropped: [String: Int]) {
        let hops = try status()["ledger"] as? [String: Any] ?? [:]
        let hop = hops[name] as? [String: Any] ?? [:]
        return (hop["accepted"] as? Int ?? 0, hop["stored"] as? Int ?? 0, hop["dropped"] as? [String: Int] ?? [:])
    }

    /// Resident memory, in MiB.
    var residentMiB: Int {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) / 1024
    }

    /// Alerts of numbered lines, and distinct numbers among them.
    func numbered() throws -> (alerts: Int, distinct: Int) {
        (
            try count("select count(*) from alerts where rule_id = '11111111-2222-4333-8444-555555555555'"),
            try count(NumberedLines.storedQuery)
        )
    }

    /// Fails the test for every hop of the final statistics that does not balance.
    func expectBalance(sourceLocation: SourceLocation = #_sourceLocation) {
        let hops = finalStatistics()
        #expect(!hops.isEmpty, "no final statistics", sourceLocation: sourceLocation)
        for (hop, entry) in hops {
            #expect(entry.accepted == entry.stored + entry.dropped, "\(hop): \(entry)", sourceLocation: sourceLocation)
        }
    }
}

/// Settings under which every matching line is an alert of its own.
enum Counting {
    static func settings(_ folder: TemporaryDirectory) throws -> [String] {
        let rules = try folder.write(NumberedLines.rule, to: "rules/numbered.yml")
        return ["detection.rules=\(rules)", "detection.dedup_window=0", "detection.rate_limit_per_rule=0"]
    }
}

/// Sends datagrams as fast as it can, on a thread of its own.
final class Flood: Sendable {
    private let count = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)
    private let ended = DispatchSemaphore(value: 0)

    init(port: Int, limit: Int = .max, text: @escaping @Sendable (Int) -> String = { "<13>flood \($0)" }) {
        Thread.detachNewThread { [self] in
            let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            var number = 0
            while number < limit, !isStopping.load(ordering: .relaxed) {
                let bytes = Array(text(number).utf8)
                // Refused: nobody listens any more. On loopback everything else reaches the receiver's socket.
                if unsafe send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count {
                    number += 1
                    count.store(number, ordering: .relaxed)
                }
            }
            close(descriptor)
            ended.signal()
        }
    }

    var sent: Int { count.load(ordering: .relaxed) }

    func wait() -> Int {
        ended.wait()
        return sent
    }

    func stop() -> Int {
        isStopping.store(true, ordering: .relaxed)
        return wait()
    }
}

/// Occupies a port of loopback, as another program would.
final class Listener {
    private let descriptor: Int32

    init(port: Int) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let descriptor = descriptor
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        listen(descriptor, 8)
    }

    deinit {
        close(descriptor)
    }
}
