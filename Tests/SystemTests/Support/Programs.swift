import Foundation
import Testing

/// The built programs, and the ways tests run them and others.
enum Programs {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    /// Where `swift build` put the executables: beside the test bundle.
    static let directory: String = {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: program).deletingLastPathComponent().path
    }()

    static var daemon: String { directory + "/ironpost-daemon" }
    static var ironpost: String { directory + "/ironpost" }

    struct Output {
        var status: Int32
        var out: String
        var err: String
    }

    /// Runs a program to its end. Output beyond what a pipe holds is read while it runs.
    static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil,
        directory: String? = nil
    ) throws -> Output {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("IRONPOST_") }
            .merging(environment) { $1 }
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        let out = try TemporaryDirectory()
        _ = FileManager.default.createFile(atPath: out.path + "/out", contents: nil)
        _ = FileManager.default.createFile(atPath: out.path + "/err", contents: nil)
        process.standardOutput = FileHandle(forWritingAtPath: out.path + "/out")
        process.standardError = FileHandle(forWritingAtPath: out.path + "/err")
        if let input {
            try input.write(toFile: out.path + "/in", atomically: false, encoding: .utf8)
            process.standardInput = FileHandle(forReadingAtPath: out.path + "/in")
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try withNoSignalBlocked { try process.run() }
        process.waitUntilExit()
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(fileURLWithPath: out.path + "/" + name)), as: UTF8.self)
        }
        return Output(status: process.terminationStatus, out: try text("out"), err: try text("err"))
    }

    /// A child inherits which signals are blocked, and threads of the pool block nearly all of them: `timeout` would wait
    /// for its alarm for ever.
    static func withNoSignalBlocked(_ body: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        unsafe sigemptyset(&none)
        unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    /// A program of the system's, or nil: the test then says what is missing and passes over.
    static func find(_ name: String) -> String? {
        ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/", "/lib/systemd/", "/usr/lib/systemd/"].map { $0 + name }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// A directory of the test's own, removed with it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array((NSTemporaryDirectory() + "/ironpost-test-XXXXXX").utf8CString)
        guard let made = unsafe mkdtemp(&template) else { throw CocoaError(.fileWriteUnknown) }
        path = unsafe String(cString: made)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ text: String, to name: String) throws -> String {
        let file = path + "/" + name
        try FileManager.default.createDirectory(
            atPath: URL(fileURLWithPath: file).deletingLastPathComponent().path, withIntermediateDirectories: true
        )
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        return file
    }
}

/// A file to which lines are appended the way a logging daemon does: one write(2) each, O_APPEND.
final class LogFile: @unchecked Sendable {
    let path: String
    private var descriptor: Int32

    init(_ path: String) throws {
        self.path = path
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    deinit {
        close(descriptor)
    }

    func append(_ line: String) {
        append(bytes: Array((line + "\n").utf8))
    }

    func append(bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }

    /// As a daemon after logrotate's postrotate signal.
    func reopen() {
        close(descriptor)
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    }
}

/// Waits for a condition, looking again every few milliseconds; fails the test when it does not come in time.
@discardableResult
func eventually(
    _ what: String, within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () throws -> Bool
) rethrows -> Bool {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try condition() { return true }
        poll(nil, 0, 10)
    }
    if try condition() { return true }
    Issue.record("did not come within \(limit): \(what)", sourceLocation: sourceLocation)
    return false
}
