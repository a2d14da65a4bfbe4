import Glibc

/// Runs what a child of fork(2) does.
///
/// The locks of Swift's runtime and library name their owner by a thread number that each thread looks up once. In the
/// thread that forked, the child has its parent's number, and a lock that two threads want then is never got: both wait,
/// or spin. A thread that is made after the fork has its own.
package enum FreshThread {
    /// Ends the process with what `body` returns. The thread that waits for that takes no lock.
    package static func run(_ body: @escaping @Sendable () -> Int32) -> Never {
        _ = PlainThread(name: "worker") { exit(body()) }
        while true { pause() }
    }
}
