internal import Glibc

/// Wakes when something happens in watched directories (inotify(7)), when it is told to, or when time has passed.
final class PathWatch: Sendable {
    /// What of a directory matters is decided by whoever asks.
    struct Event {
        var directory: String
        var name: String
        var isFolder: Bool
        /// The watch is over: its directory is gone.
        var isGone: Bool
    }

    private let inotify: Int32
    private let wakeRead: Int32
    private let wakeWrite: Int32

    private static let mask = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR
    )
    private static let bufferBytes = 64 << 10

    init() throws(ReadFault) {
        inotify = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard inotify >= 0 else { throw ReadFault("inotify: \(SystemError.text)") }
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else {
            close(inotify)
            throw ReadFault("pipe: \(SystemError.text)")
        }
        (wakeRead, wakeWrite) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    deinit {
        close(inotify)
        close(wakeRead)
        close(wakeWrite)
    }

    /// - Returns: the watch's number; `nil` when the kernel has no more, or the directory is gone.
    func add(_ directory: String) -> Int32? {
        let number = unsafe inotify_add_watch(inotify, directory, Self.mask)
        return number >= 0 ? number : nil
    }

    /// From any thread.
    func wake() {
        var byte: UInt8 = 1
        _ = unsafe write(wakeWrite, &byte, 1)
    }

    /// - Parameter names: of directories by the number of their watch.
    /// - Returns: what happened; `nil` when events were lost, so that everything has to be looked at.
    func wait(milliseconds: Int32, names: [Int32: String]) -> [Event]? {
        var polled = [
            pollfd(fd: inotify, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe polled.withUnsafeMutableBufferPointer { unsafe poll($0.baseAddress, 2, milliseconds) }
        if polled[1].revents != 0 {
            var bytes = [UInt8](repeating: 0, count: 64)
            while unsafe read(wakeRead, &bytes, bytes.count) > 0 {}
        }
        guard polled[0].revents & Int16(POLLIN) != 0 else { return [] }
        var events: [Event] = []
        var isLost = false
        while true {
            let buffer = unsafe [UInt8](unsafeUninitializedCapacity: Self.bufferBytes) { buffer, count in
                unsafe count = max(0, read(inotify, buffer.baseAddress, buffer.count))
            }
            if buffer.isEmpty { break }
            var place = 0
            while place + 16 <= buffer.count {
                let number = Int32(truncatingIfNeeded: ZipArchive.number(buffer, place, 4))
                let mask = UInt32(truncatingIfNeeded: ZipArchive.number(buffer, place + 4, 4))
                let length = ZipArchive.number(buffer, place + 12, 4)
                let end = min(place + 16 + length, buffer.count)
                let name = buffer[(place + 16)..<end].prefix { $0 != 0 }
                place = end
                if mask & UInt32(IN_Q_OVERFLOW) != 0 { isLost = true }
                guard let directory = names[number] else { continue }
                let isGone = mask & UInt32(IN_IGNORED) != 0
                let isFolder = mask & UInt32(IN_ISDIR) != 0 || mask & UInt32(IN_DELETE_SELF) != 0 || isGone
                events.append(Event(directory: directory, name: name.text, isFolder: isFolder, isGone: isGone))
            }
        }
        return isLost ? nil : events
    }
}
