import EventStore
import Foundation
import GRDB
import IronpostCore
import Testing

/// A disk whose system calls fail, by strace's fault injection on a process that commits.
@Suite(.enabled(if: RecordedCommits.strace != nil, "this test needs strace and the right to trace"))
struct FailingDiskTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    /// Every injected failure is an error of a commit that was not acknowledged; afterwards all of it is there, once.
    @Test(arguments: [
        "fdatasync,fsync:error=EIO:when=14", "fdatasync,fsync:error=EIO:when=13+4",
        "fdatasync,fsync:error=EIO:when=16..21",
        "pwrite64:error=EIO:when=100", "pwrite64:error=EIO:when=95+211", "pwrite64:error=EROFS:when=110..130",
        "pwrite64:error=ENOSPC:when=99+173", "ftruncate:error=EIO:when=5+2",
    ])
    func nothingAcknowledgedIsLostAndNothingIsStoredTwice(fault: String) throws {
        let commits = 40
        // The schema is there before: its steps write and sync as well, and their number grows with each version.
        try EventStore(path: directory.database).close()
        let said = try RecordedCommits.run(
            database: directory.database, commits: commits,
            strace: ["-e", "trace=" + fault.prefix { $0 != ":" }, "-e", "inject=\(fault)"],
            trace: directory.path + "/trace"
        )
        #expect(said.last == "end", "\(said.suffix(3))")
        let errors = said.filter { $0.hasPrefix("error") }
        if !fault.hasPrefix("ftruncate") { #expect(!errors.isEmpty, "no failure was injected") }
        #expect(said.filter { $0.hasPrefix("ack") }.count == commits)
        #expect(!said.contains { $0.hasPrefix("shown") || $0.hasPrefix("bad") }, "\(said)")
        let found = try StoredCommits(database: directory.database)
        #expect(found.complete == Array(1...commits))
        #expect(found.checkpoint == commits)
        #expect(found.actions == commits / 3)
    }

    /// The alert that was reported as stored has to be there when the file is opened again.
    @Test func anotherFileInItsPlaceIsNotWrittenTo() throws {
        let store = try EventStore(path: directory.database)
        _ = try store.commit(AlertTransaction(inserts: [sampleAlert(0)]))
        for suffix in ["", "-wal", "-shm"] {
            try FileManager.default.moveItem(
                atPath: directory.database + suffix, toPath: directory.path + "/away" + suffix)
        }
        var error = #expect(throws: StoreError.self) { try store.commit(AlertTransaction(inserts: [sampleAlert(1)])) }
        #expect(error?.reason == .replaced)
        #expect(error?.description.contains("removed") == true)
        try EventStore(path: directory.database).close()
        error = #expect(throws: StoreError.self) { try store.commit(AlertTransaction(inserts: [sampleAlert(1)])) }
        #expect(error?.description.contains("another file took its place") == true)
        #expect(try EventStore(path: directory.database).alerts(AlertQuery()).total == 0)
        for suffix in ["", "-wal", "-shm"] {
            _ = try? FileManager.default.removeItem(atPath: directory.database + suffix)
            try FileManager.default.moveItem(
                atPath: directory.path + "/away" + suffix, toPath: directory.database + suffix)
        }
        #expect(try store.commit(AlertTransaction(inserts: [sampleAlert(1)])).inserted == 1)
        #expect(try store.alerts(AlertQuery()).total == 2)
    }
}

/// What is in a database that `CommitRecorder` wrote.
struct StoredCommits {
    /// Numbers of the commits whose alerts are all there, in order.
    var complete: [Int] = []
    /// Numbers of commits that are there in part, or twice.
    var torn: [Int] = []
    var checkpoint = 0
    var actions = 0

    init(database: String) throws {
        let store = try EventStore(path: database)
        let check = try store.check()
        #expect(check.faults.isEmpty, "\(check.faults)")
        let titles = try store.alerts(AlertQuery(limit: AlertQuery.limitMax)).alerts.map(\.title)
        for (title, count) in Dictionary(titles.map { ($0, 1) }, uniquingKeysWith: +) {
            let words = title.split(separator: " ").compactMap { Int($0) }
            guard words.count == 2 else { continue }
            if count == words[1] { complete.append(words[0]) } else { torn.append(words[0]) }
        }
        complete.sort()
        checkpoint = try store.checkpoints().first?.value.flatMap { Int($0) } ?? 0
        actions = check.actions
        try store.close()
    }
}
