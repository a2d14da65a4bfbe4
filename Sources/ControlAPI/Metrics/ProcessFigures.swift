import Glibc

/// What the system knows of this process.
struct ProcessFigures: Sendable {
    var residentBytes: Int
    var cpuSeconds: Double
    var openDescriptors: Int

    static func current() -> ProcessFigures {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let cpu =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        return ProcessFigures(
            residentBytes: residentPages() * Int(sysconf(Int32(_SC_PAGESIZE))), cpuSeconds: cpu,
            openDescriptors: countDescriptors()
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

    private static func countDescriptors() -> Int {
        guard let directory = unsafe opendir("/proc/self/fd") else { return 0 }
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        // Without ".", ".." and the one that lists.
        return max(0, count - 3)
    }
}
