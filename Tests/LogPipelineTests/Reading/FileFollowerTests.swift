import Foundation
import IronpostCore
import Logging
import Synchronization
import Testing

@testable import LogPipeline

/// Files followed for real; what is read is collected by line.
struct FileFollowerTests {
    final class Collected: Sendable {
        struct State {
            var lines: [String] = []
            var places: [String: (file: String?, offset: UInt64, number: UInt64?)] = [:]
            var checkpoints: [String: String] = [:]
        }

        let state = Mutex(State())
        var lines: [String] { state.withLock { $0.lines } }
        var checkpoints: [FileCheckpoint] {
            FileCheckpoint.decode(state.withLock { $0.checkpoints.map { Checkpoint(key: $0.key, value: $0.value) } })
        }
    }

    /// A follower with a thread that takes what it reads, until `end`.
    final class Following {
        let collected: Collected
        let follower: FileFollower
        private let queue: SourceQueue
        private let threads: [PlainThread]

        init(
            _ include: [String], fromStart: Bool = true, lineBytesMax: Int = 65_536, collected: Collected = Collected(),
            exclude: [String] = []
        ) throws {
            self.collected = collected
            let queue = SourceQueue(lanes: 1, bytesMax: 1 << 20)
            let origins = OriginTable()
            let ledger = Ledger()
            let follower = try FileFollower(
                options: FileFollower.Options(
                    include: include, exclude: exclude, startAtBeginning: fromStart, filesMax: 100,
                    lineBytesMax: lineBytesMax, demoDirectory: nil
                ),
                queue: queue, lane: 0, hop: ledger.hop("source:file"), origins: origins, time: SystemTime(),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                responder: AbsentResponder("none in this test")
            )
            self.queue = queue
            self.follower = follower
            let checkpoints = collected.checkpoints
            threads = [
                PlainThread(name: "follow") { follower.follow(from: checkpoints) },
                PlainThread(name: "collect") {
                    while true {
                        switch queue.take(wait: 100_000_000) {
                        case .batches(let batches):
                            for batch in batches { Self.note(batch, origins, collected) }
                        case .idle: continue
                        case .finished: return
                        }
                    }
                },
            ]
        }

        static func note(_ batch: RawBatch, _ origins: OriginTable, _ collected: Collected) {
            collected.state.withLock { state in
                var offset = batch.position
                var number = batch.lineNumber
                for line in batch.bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast(
                    batch.bytes.last == 0x0A || batch.bytes.isEmpty ? 1 : 0)
                {
                    let text = String(decoding: line, as: UTF8.self)
                    state.lines.append(text)
                    state.places[text] = (origins[batch.origin]?.file, offset, number)
                    offset += UInt64(line.count) + 1
                    number = number.map { $0 + 1 }
                }
                for checkpoint in batch.checkpoints { state.checkpoints[checkpoint.key] = checkpoint.value }
            }
        }

        func wait(for count: Int, sourceLocation: SourceLocation = #_sourceLocation) {
            let end = ContinuousClock.now + .seconds(20)
            while collected.lines.count < count, ContinuousClock.now < end { poll(nil, 0, 5) }
            #expect(collected.lines.count >= count, sourceLocation: sourceLocation)
        }

        func waitUntilReady() {
            let end = ContinuousClock.now + .seconds(20)
            while !follower.current.isReady, ContinuousClock.now < end { poll(nil, 0, 5) }
        }

        /// Stops as the daemon does: what was read is still evaluated.
        func end() async {
            follower.stop()
            await threads[0].join()
            queue.close()
            await threads[1].join()
        }
    }

    static func folder() throws -> String {
        let path = NSTemporaryDirectory() + "follow-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    static func append(_ text: String, to path: String) throws {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        try #require(unsafe write(descriptor, bytes, bytes.count) == bytes.count)
    }

    @Test("lines, their offsets and numbers; a line without an end waits for it")
    func reading() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Self.append("one\ntwo\nthr", to: folder + "/a.log")
        let following = try Following([folder + "/*.log"])
        following.wait(for: 2)
        #expect(following.collected.lines == ["one", "two"])
        try Self.append("ee\n", to: folder + "/a.log")
        following.wait(for: 3)
        try Self.append("new file\n", to: folder + "/b.log")
        following.wait(for: 4)
        await following.end()
        #expect(following.collected.lines == ["one", "two", "three", "new file"])
        let place = following.collected.state.withLock { $0.places["three"] }
        #expect(place?.file == folder + "/a.log")
        #expect(place?.offset == 8)
        #expect(place?.number == 3)
    }

    @Test("starting at the end: the line that is being written then is read whole, with its number")
    func startAtEnd() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Self.append("old\nold\nhalf", to: folder + "/a.log")
        let following = try Following([folder + "/a.log"], fromStart: false)
        following.waitUntilReady()
        try Self.append(" line\n", to: folder + "/a.log")
        following.wait(for: 1)
        await following.end()
        #expect(following.collected.lines == ["half line"])
        #expect(following.collected.state.withLock { $0.places["half line"]?.number } == 3)
    }

    @Test(
        "rotation by rename under writing: every line once, in order, also what the writer still writes to the old file"
    )
    func rename() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/a.log"
        let following = try Following([path])
        following.waitUntilReady()
        var expected: [String] = []
        var old = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        for round in 0..<5 {
            for number in 0..<200 {
                let line = "round \(round) line \(number)"
                expected.append(line)
                let bytes = Array((line + "\n").utf8)
                _ = unsafe write(old, bytes, bytes.count)
                if number == 100 {
                    // The writer keeps the old file open for a while, as rsyslogd does until it is told.
                    unsafe Foundation.rename(path, path + ".\(round)")
                }
            }
            // Only when the old file's lines are in, or the order would be the writer's accident.
            following.wait(for: expected.count)
            close(old)
            old = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        }
        close(old)
        await following.end()
        #expect(following.collected.lines == expected)
    }

    @Test("rotation by copy and truncate: what was not read before the truncation is read from the copy")
    func copyTruncate() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/a.log"
        try Self.append("first line, long enough to know the file by\n", to: path)
        var following = try Following([path])
        following.wait(for: 1)
        await following.end()
        // Nobody watches while the file grows, is copied, truncated, and grows again.
        try Self.append("second\nthird\n", to: path)
        try FileManager.default.copyItem(atPath: path, toPath: path + ".1")
        unsafe truncate(path, 0)
        try Self.append("fourth\n", to: path)
        following = try Following([path], collected: following.collected)
        following.wait(for: 4)
        await following.end()
        #expect(following.collected.lines.dropFirst() == ["second", "third", "fourth"])
        #expect(following.collected.state.withLock { $0.places["second"]?.file } == path)
    }

    @Test("truncation while watching, also to a file that is longer than what was read")
    func truncation() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/a.log"
        try Self.append("before\n", to: path)
        let following = try Following([path])
        following.wait(for: 1)
        unsafe truncate(path, 0)
        try Self.append("after, and longer than what stood here before\n", to: path)
        following.wait(for: 2)
        await following.end()
        #expect(following.collected.lines == ["before", "after, and longer than what stood here before"])
    }

    @Test("a restart goes on at the checkpoint; a file rotated away meanwhile is read to its end first")
    func restart() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/a.log"
        try Self.append("one\n", to: path)
        var following = try Following([path], fromStart: false)
        following.waitUntilReady()
        try Self.append("two\n", to: path)
        following.wait(for: 1)
        await following.end()
        try Self.append("three\n", to: path)
        unsafe Foundation.rename(path, path + ".1")
        try Self.append("four\n", to: path)
        following = try Following([path], fromStart: false, collected: following.collected)
        following.wait(for: 3)
        await following.end()
        #expect(following.collected.lines == ["two", "three", "four"])
    }

    @Test("a stop in the middle of a line loses neither half of it")
    func stopInsideLine() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/a.log"
        try Self.append("one\ntw", to: path)
        var following = try Following([path])
        following.wait(for: 1)
        await following.end()
        try Self.append("o\nthree\n", to: path)
        following = try Following([path], collected: following.collected)
        following.wait(for: 3)
        await following.end()
        #expect(following.collected.lines == ["one", "two", "three"])
        #expect(following.collected.state.withLock { $0.places["two"]?.offset } == 4)
    }

    @Test("an inode that was given to another file is not taken for the old file")
    func reusedInode() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/a.log"
        try Self.append("the old file's line\n", to: path)
        var following = try Following([path])
        following.wait(for: 1)
        await following.end()
        // The same inode with other bytes is what reuse looks like.
        unsafe truncate(path, 0)
        try Self.append("a new file's first line, longer than the old\n", to: path)
        following = try Following([path], collected: following.collected)
        following.wait(for: 2)
        await following.end()
        #expect(following.collected.lines == ["the old file's line", "a new file's first line, longer than the old"])
    }

    @Test("10 MB without a line feed, NUL and invalid UTF-8 do no harm to the lines around them")
    func badLines() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/a.log"
        let following = try Following([path], lineBytesMax: 4096)
        following.waitUntilReady()
        try Self.append("before\n", to: path)
        let descriptor = unsafe open(path, O_WRONLY | O_APPEND)
        let bad = [UInt8](repeating: 0x78, count: 10_000_000) + [0x0A, 0, 0xFF, 0xFE, 0x0A]
        var at = 0
        while at < bad.count {
            at += unsafe bad[at...].withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        }
        close(descriptor)
        try Self.append("after\n", to: path)
        following.wait(for: 4)
        await following.end()
        #expect(following.collected.lines.map(\.utf8.count) == [6, 4096, "\u{0}\u{FFFD}\u{FFFD}".utf8.count, 5])
        #expect(following.collected.lines.last == "after")
    }

    @Test("a directory that vanishes and comes again is watched again; excluded files are not read")
    func directories() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let following = try Following([folder + "/sub/*.log"], exclude: [folder + "/sub/no*.log"])
        following.waitUntilReady()
        try FileManager.default.createDirectory(atPath: folder + "/sub", withIntermediateDirectories: true)
        try Self.append("one\n", to: folder + "/sub/a.log")
        following.wait(for: 1)
        try FileManager.default.removeItem(atPath: folder + "/sub")
        try FileManager.default.createDirectory(atPath: folder + "/sub", withIntermediateDirectories: true)
        try Self.append("not for us\n", to: folder + "/sub/no.log")
        try Self.append("two\n", to: folder + "/sub/a.log")
        following.wait(for: 2)
        await following.end()
        #expect(following.collected.lines == ["one", "two"])
    }

    @Test("checkpoints survive hostile file names")
    func hostileNames() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/a \"quoted\"\\\n\u{1}.log"
        try Self.append("one\n", to: path)
        let following = try Following([folder + "/*.log"])
        following.wait(for: 1)
        await following.end()
        #expect(following.collected.checkpoints.map(\.path) == [path])
        #expect(following.collected.checkpoints.map(\.offset) == [4])
    }
}
