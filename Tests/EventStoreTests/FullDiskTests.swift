import EventStore
import Foundation
import Glibc
import IronpostCore
import Testing

/// A file system of 2 MB of our own: needs root and the right to mount.
private let canMount: Bool = {
    let probe = FileManager.default.temporaryDirectory.appendingPathComponent("ironpost-\(UUID().uuidString)").path
    guard unsafe mkdir(probe, 0o700) == 0 else { return false }
    defer { unsafe rmdir(probe) }
    guard unsafe mount("tmpfs", probe, "tmpfs", 0, "size=64k") == 0 else { return false }
    unsafe umount(probe)
    return true
}()

@Suite struct FullDiskTests {
    @Test(.enabled(if: canMount, "this test mounts a tmpfs, which this machine does not allow"))
    func afterAFullDiskThePreviousStateIsWholeAndGoesOn() throws {
        let directory = try TemporaryDirectory()
        try #require(unsafe mount("tmpfs", directory.path, "tmpfs", 0, "size=2m") == 0)
        defer { unsafe umount2(directory.path, Int32(MNT_DETACH)) }
        let filler = directory.path + "/filler"
        try Data(count: 600 << 10).write(to: URL(fileURLWithPath: filler))
        let store = try EventStore(path: directory.database)
        var stored = 0
        var failure: StoreError?
        while failure == nil, stored < 100_000 {
            let alerts = (0..<32).map { sampleAlert(stored + $0) }
            do {
                _ = try store.commit(
                    AlertTransaction(inserts: alerts, checkpoints: [Checkpoint(key: "n", value: "\(stored + 32)")])
                )
                stored += 32
            } catch let error as StoreError {
                failure = error
            }
        }
        #expect(failure?.reason == .diskFull)
        #expect(failure?.outlook == .full)
        #expect(try store.alerts(AlertQuery(limit: 1)).total == stored)
        #expect(try store.checkpoints().map(\.value) == ["\(stored)"])
        try FileManager.default.removeItem(atPath: filler)
        #expect(try store.commit(AlertTransaction(inserts: [sampleAlert(stored)])).inserted == 1)
        try store.close()
        #expect(try EventStore(path: directory.database).alerts(AlertQuery(limit: 1)).total == stored + 1)
    }
}

@Suite struct ReserveFileTests {
    @Test(
        .enabled(if: canMount, "this test mounts a tmpfs, which this machine does not allow"),
        arguments: [
            ("8m", 0), ("16m", 1), ("64m", 4), ("512m", 16),
        ])
    func itsSizeFollowsTheDisk(size: String, megabytes: Int) throws {
        try withDisk(size) { directory in
            let reserve = ReserveFile(beside: directory.path + "/ironpost.db")
            #expect(reserve.level == ReserveLevel(bytesWanted: megabytes << 20, bytesHeld: megabytes << 20))
            let (free, total) = (try free(directory), try total(directory))
            #expect(free <= total - megabytes << 20)
        }
    }

    @Test(.enabled(if: canMount, "this test mounts a tmpfs, which this machine does not allow"))
    func itIsGivenBackInPiecesAndTakenAgain() throws {
        try withDisk("64m") { directory in
            let reserve = ReserveFile(beside: directory.path + "/ironpost.db")
            let filler = directory.path + "/filler"
            let rest = try free(directory)
            _ = FileManager.default.createFile(atPath: filler, contents: nil)
            let handle = try #require(FileHandle(forWritingAtPath: filler))
            defer { try? handle.close() }
            #expect(posix_fallocate(handle.fileDescriptor, 0, off_t(rest)) == 0)
            #expect(try free(directory) == 0)
            for piece in 1...64 {
                #expect(reserve.release())
                #expect(try free(directory) == piece << 16)
            }
            #expect(!reserve.release())
            #expect(reserve.restore())
            #expect(try free(directory) == 0)
            #expect(reserve.release())
            try Data(count: 4096).write(to: URL(fileURLWithPath: directory.path + "/other"))
            #expect(!reserve.restore())
            #expect(reserve.level.bytesHeld == 63 << 16)
            // What is left of it is still the next run's.
            #expect(ReserveFile(beside: directory.path + "/ironpost.db").level.bytesHeld == 63 << 16)
            try handle.truncate(atOffset: 0)
            #expect(reserve.restore())
            #expect(reserve.level.isWhole)
        }
    }

    @Test func aLinkInItsPlaceIsNotFollowed() throws {
        let directory = try TemporaryDirectory()
        let target = directory.path + "/target"
        try Data("precious".utf8).write(to: URL(fileURLWithPath: target))
        try FileManager.default.createSymbolicLink(atPath: directory.path + "/reserve", withDestinationPath: target)
        let reserve = ReserveFile(beside: directory.path + "/ironpost.db")
        #expect(!reserve.level.isWhole)
        #expect(!reserve.release())
        #expect(FileManager.default.contents(atPath: target) == Data("precious".utf8))
    }

    private func withDisk(_ size: String, _ body: (TemporaryDirectory) throws -> Void) throws {
        let directory = try TemporaryDirectory()
        try #require(unsafe mount("tmpfs", directory.path, "tmpfs", 0, "size=\(size)") == 0)
        defer { unsafe umount2(directory.path, Int32(MNT_DETACH)) }
        try body(directory)
    }

    private func disk(_ directory: TemporaryDirectory) throws -> statvfs {
        var disk = statvfs()
        try #require(unsafe statvfs(directory.path, &disk) == 0)
        return disk
    }

    private func free(_ directory: TemporaryDirectory) throws -> Int {
        let disk = try disk(directory)
        return Int(disk.f_bavail) * Int(disk.f_frsize)
    }

    private func total(_ directory: TemporaryDirectory) throws -> Int {
        let disk = try disk(directory)
        return Int(disk.f_blocks) * Int(disk.f_frsize)
    }
}
