import Glibc

/// Runs what a child of fork(2) does.
///
/// The locks of Swift's runtime and library name their owner by a thread number that each thread looks up once. In the
/// thread that forked, the child has its parent's number, and a lock that two threads want then is never got: both wait,
/// or spin. A thread that is made after the fork has its own.
package enum FreshThread {
    /// Returns what `body` returns, once it is over; `nil` when the system has no pipe to give. The thread that waits
    /// takes no lock.
    package static func run(_ body: @escaping @Sendable () -> Int32) -> Int32? {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { return nil }
        let (reading, writing) = (OwnedDescriptor(ends[0]), OwnedDescriptor(ends[1]))
        let thread = PlainThread(name: "worker") {
            let result = body()
            _ = unsafe withUnsafeBytes(of: result) { unsafe write(writing.number, $0.baseAddress, $0.count) }
        }
        defer { withExtendedLifetime(thread) {} }
        var result: Int32 = 0
        while true {
            let count = unsafe withUnsafeMutableBytes(of: &result) {
                unsafe read(reading.number, $0.baseAddress, $0.count)
            }
            if count == MemoryLayout<Int32>.size { return result }
            guard count < 0, errno == EINTR else { return nil }
        }
    }
}
