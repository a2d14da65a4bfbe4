import EventStore
import Foundation
import GRDB
import Glibc
import IronpostCore
import Testing

@Suite struct CheckTests {
    let directory: TemporaryDirectory
    let store: EventStore

    init() throws {
        directory = try TemporaryDirectory()
        store = try EventStore(path: directory.database)
        _ = try store.commit(AlertTransaction(inserts: (0..<20).map { sampleAlert($0) }))
        try store.append((1...6).map(ActionLogTests.record))
    }

    private func reader() throws -> EventStore {
        try EventStore(path: directory.database, options: .init(isReadOnly: true, checkAtOpenBytesMax: 0))
    }

    @Test func aSoundStoreIsCountedBesideItsWriter() throws {
        let check = try reader().check()
        #expect(check.faults.isEmpty)
        #expect(check.alerts == 20 && check.actions == 6)
        _ = try store.commit(AlertTransaction(inserts: [sampleAlert(20)]))
        try store.close()
        #expect(try reader().check().alerts == 21)
    }

    @Test(arguments: [
        ("UPDATE alerts SET record = x'7b7d' WHERE seq = 7", "seq 7"),
        ("UPDATE alerts SET record = x'00' WHERE seq IN (9, 12)", "seq 9"),
        ("UPDATE alerts SET severity = 0 WHERE seq = 3", "seq 3"),
        ("UPDATE alerts SET record = (SELECT record FROM alerts WHERE seq = 1) WHERE seq = 5", "seq 5"),
        ("UPDATE alerts SET first_seen = last_seen + 1 WHERE seq = 20", "seq 20"),
        ("DROP TRIGGER actions_no_update; UPDATE actions SET target = 'x' WHERE seq = 4", "audit record 4"),
    ])
    func theFirstBadRecordIsNamed(sql: String, name: String) throws {
        try DatabaseQueue(path: directory.database).write { try $0.execute(sql: sql) }
        let faults = try reader().check().faults
        #expect(faults.count == 1)
        #expect(faults.first?.contains(name) == true, "\(faults)")
    }

    @Test func aDamagedFileIsReportedAndDoesNotEndTheCheck() throws {
        _ = try store.commit(AlertTransaction(inserts: (100..<400).map { sampleAlert($0) }))
        try store.close()
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: directory.database))
        for page in 30..<60 {
            try handle.seek(toOffset: UInt64(page) * 4096)
            try handle.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        }
        try handle.close()
        #expect(try reader().check().faults.isEmpty == false)
        let error = #expect(throws: StoreError.self) { try EventStore(path: directory.database) }
        #expect(error?.description.contains("ironpost store check") == true)
        #expect(error?.description.contains("restore a backup") == true)
    }

    @Test func aBackupIsWholePrivateAndNeverOverwrites() throws {
        let copy = directory.path + "/copy.db"
        try reader().backup(to: copy)
        var status = stat()
        #expect(unsafe stat(copy, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let restored = try EventStore(path: copy)
        #expect(try restored.check().faults.isEmpty)
        #expect(try restored.alerts(AlertQuery()).alerts == (try store.alerts(AlertQuery()).alerts))
        #expect(try restored.commit(AlertTransaction(inserts: [sampleAlert(50)])).inserted == 1)
        try restored.close()
        let before = FileManager.default.contents(atPath: copy)
        #expect(throws: StoreError.self) { try reader().backup(to: copy) }
        #expect(FileManager.default.contents(atPath: copy) == before)
        try FileManager.default.createSymbolicLink(
            atPath: directory.path + "/link", withDestinationPath: directory.path + "/x")
        #expect(throws: StoreError.self) { try reader().backup(to: directory.path + "/link") }
        #expect(throws: StoreError.self) { try reader().backup(to: directory.path + "/none/copy.db") }
    }

    @Test func aBackupUnderLoadIsOneMomentOfIt() throws {
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [store] in
            for number in 100..<400 {
                _ = try? store.commit(
                    AlertTransaction(
                        inserts: [sampleAlert(number)], checkpoints: [Checkpoint(key: "n", value: "\(number)")])
                )
            }
            done.signal()
        }
        for copy in 0..<3 {
            let path = directory.path + "/copy\(copy).db"
            try reader().backup(to: path)
            let restored = try EventStore(path: path)
            #expect(try restored.check().faults.isEmpty)
            let last = try restored.checkpoints().first?.value.flatMap { Int($0) } ?? 99
            #expect(try restored.alerts(AlertQuery(limit: 1)).total == 20 + last - 99)
        }
        done.wait()
    }
}
