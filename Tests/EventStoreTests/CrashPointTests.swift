import CrashReplay
import EventStore
import Foundation
import Testing

/// Every point at which the power can fail: the system calls of a process that commits are recorded and replayed up to
/// each, with the last one torn, and with what was not forced to the disk written in part.
@Suite(.enabled(if: RecordedCommits.strace != nil, "this test needs strace and the right to trace"))
struct CrashPointTests {
    static var isDeep: Bool { ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil }

    @Test func everyPrefixOpensWithAllThatWasAcknowledgedAndNothingByHalf() throws {
        let directory = try TemporaryDirectory()
        let said = try RecordedCommits.run(
            database: directory.database, commits: 60,
            strace: [
                "-y", "-xx", "-s", "1000000",
                "-e", "trace=openat,write,pwrite64,fsync,fdatasync,ftruncate,unlink,rename",
            ],
            trace: directory.path + "/trace"
        )
        #expect(said.last == "end")
        let trace = try WriteTrace(
            file: directory.path + "/trace", directory: (directory.database as NSString).deletingLastPathComponent
        )
        // `ack NUMBER …`, a line each.
        let spoken = trace.steps.map { step -> Int? in
            guard case .say(let bytes) = step else { return nil }
            let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
            return words.first == "ack" && words.count == 3 ? Int(words[1]) : nil
        }
        // Before the first there is no database yet.
        let firstPoint = try #require(spoken.firstIndex { $0 != nil }) + 1
        #expect(spoken.count { $0 != nil } == 60)
        var random = Numbers(state: 0x9E37_79B9_7F4A_7C15)
        let points =
            Self.isDeep
            ? Array(firstPoint...trace.steps.count)
            : (0..<60).map { _ in Int.random(in: firstPoint...trace.steps.count, using: &random) }
        var commits = Set<Int>()
        for point in points {
            for isLossy in [false, true] {
                let copy = try TemporaryDirectory()
                try FileManager.default.createDirectory(atPath: copy.path + "/data", withIntermediateDirectories: true)
                for (name, bytes) in trace.files(at: point, isLossy: isLossy, using: &random)
                where name != "ironpost.db-shm" {
                    try Data(bytes).write(to: URL(fileURLWithPath: copy.path + "/data/" + name))
                }
                let acknowledged = spoken[..<point].compactMap { $0 }
                let found = try StoredCommits(database: copy.database)
                #expect(found.torn.isEmpty, "point \(point), lossy \(isLossy)")
                #expect(
                    found.complete == Array(0..<found.complete.count).map { $0 + 1 }, "point \(point), lossy \(isLossy)"
                )
                #expect(found.complete.count >= acknowledged.count, "point \(point), lossy \(isLossy)")
                #expect(found.complete.count <= acknowledged.count + 1, "point \(point), lossy \(isLossy)")
                #expect(found.checkpoint == found.complete.count, "point \(point), lossy \(isLossy)")
                #expect(found.actions >= acknowledged.count { $0 % 3 == 0 }, "point \(point), lossy \(isLossy)")
                commits.insert(found.complete.count)
            }
        }
        print(
            "crash points: \(trace.steps.count) system calls, \(points.count * 2) states tried, \(commits.count) different"
        )
        #expect(commits.count > 10)
    }
}
