internal import Glibc
package import IronpostCore
internal import Synchronization

/// A file of allocated blocks beside the database: on a full disk it is cut shorter, a small piece at a time. What a
/// commit leaves of a piece goes to whoever fills the disk, so a piece is hardly more than one alert takes.
///
/// On file systems that compress or copy on write (btrfs, ZFS) blocks of zeros may not be held for real.
package final class ReserveFile: StorageReserve {
    package static let name = "reserve"
    /// At least 256 alerts in transactions of their own, while another program takes everything else.
    package static let bytesMax = 16 << 20
    package static let pieceBytes = 64 << 10
    /// At most this part of the file system, in whole units; a disk with less than one gets no reserve.
    package static let diskShare = 16
    package static let unitBytes = 1 << 20

    package let path: String
    private let bytesWanted: Int
    private let held: Mutex<Int>

    /// Takes the reserve if there is room; `level` tells.
    package init(beside database: String) {
        let directory = database.lastIndex(of: "/").map { String(database[..<$0]) } ?? "."
        path = (directory.isEmpty ? "" : directory) + "/" + Self.name
        bytesWanted = Self.bytesWanted(of: directory.isEmpty ? "/" : directory)
        // What an earlier run left on a disk that was full.
        held = Mutex(min(Self.allocatedBytes(path), bytesWanted))
        _ = restore()
    }

    package var level: ReserveLevel {
        ReserveLevel(bytesWanted: bytesWanted, bytesHeld: held.withLock { $0 })
    }

    package func release() -> Bool {
        held.withLock { held in
            guard held > 0 else { return false }
            let shorter = max(0, held - Self.pieceBytes)
            guard unsafe truncate(path, off_t(shorter)) == 0 else { return false }
            held = shorter
            return true
        }
    }

    package func restore() -> Bool {
        held.withLock { held in
            guard bytesWanted > 0, held < bytesWanted else { return true }
            let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else { return false }
            defer { close(descriptor) }
            guard posix_fallocate(descriptor, 0, off_t(bytesWanted)) == 0 else {
                // What a failed attempt took is given back.
                ftruncate(descriptor, off_t(held))
                return false
            }
            ftruncate(descriptor, off_t(bytesWanted))
            held = bytesWanted
            return true
        }
    }

    private static func allocatedBytes(_ path: String) -> Int {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return 0 }
        return min(Int(status.st_size), Int(status.st_blocks) * 512)
    }

    private static func bytesWanted(of directory: String) -> Int {
        var disk = statvfs()
        guard unsafe statvfs(directory, &disk) == 0 else { return 0 }
        let (total, overflow) = UInt64(disk.f_blocks).multipliedReportingOverflow(by: UInt64(disk.f_frsize))
        let share = overflow ? UInt64(bytesMax) : min(UInt64(bytesMax), total / UInt64(diskShare))
        return Int(share) / unitBytes * unitBytes
    }
}
