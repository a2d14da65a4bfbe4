import Glibc
import IronpostCore

/// What the system knows of this process.
struct ProcessFigures: Sendable {
    var residentBytes: Int
    var cpuSeconds: Double
    var openDescriptors: Int

    static func current() -> ProcessFigures {
        let usage = ProcessUsage.current()
        return ProcessFigures(
            residentBytes: Int(clamping: usage.residentBytes), cpuSeconds: Double(usage.cpuMilliseconds) / 1000,
            openDescriptors: countDescriptors()
        )
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
