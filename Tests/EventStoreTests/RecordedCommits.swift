import Foundation
import Testing

/// The program `CommitRecorder` under strace(1).
enum RecordedCommits {
    static let strace: String? = ["/usr/bin/strace", "/bin/strace"].first {
        FileManager.default.isExecutableFile(atPath: $0) && canTrace($0)
    }

    /// Runs it to its end.
    /// - Parameters:
    ///   - options: strace's own, as in `-e inject=…`.
    /// - Returns: what it said, a line each.
    static func run(database: String, commits: Int, strace options: [String], trace: String) throws -> [String] {
        let strace = try #require(strace)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: strace)
        process.arguments = ["-f", "-o", trace] + options + [program, database, "\(commits)"]
        let output = trace + ".out"
        _ = FileManager.default.createFile(atPath: output, contents: nil)
        process.standardOutput = FileHandle(forWritingAtPath: output)
        try process.run()
        process.waitUntilExit()
        return try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    private static var program: String {
        let test = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: test).deletingLastPathComponent().path + "/CommitRecorder"
    }

    /// Containers often forbid ptrace(2).
    private static func canTrace(_ strace: String) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: strace)
        process.arguments = ["-o", "/dev/null", "/bin/true"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
