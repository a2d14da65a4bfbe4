internal import Glibc

/// What a process has used of the machine, as it says itself.
package struct ProcessUsage: Sendable, Equatable {
    /// User and system time since its start.
    package var cpuMilliseconds: UInt64
    package var residentBytes: UInt64

    package init(cpuMilliseconds: UInt64, residentBytes: UInt64) {
        self.cpuMilliseconds = cpuMilliseconds
        self.residentBytes = residentBytes
    }

    /// Of the calling process.
    package static func current() -> ProcessUsage {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let milliseconds =
            (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000
            + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000
        return ProcessUsage(
            cpuMilliseconds: UInt64(clamping: milliseconds),
            residentBytes: UInt64(clamping: residentPages() * Int(sysconf(Int32(_SC_PAGESIZE))))
        )
    }

    /// The second number of /proc/self/statm; 0 without /proc.
    private static func residentPages() -> Int {
        let descriptor = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        let words = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: " ")
        return words.count > 1 ? Int(words[1]) ?? 0 : 0
    }
}

/// A process of the daemon's, by its part.
package struct ProcessStatus: Sendable, Equatable {
    package var name: String
    package var pid: Int
    package var usage: ProcessUsage

    package init(name: String, pid: Int, usage: ProcessUsage) {
        self.name = name
        self.pid = pid
        self.usage = usage
    }
}
