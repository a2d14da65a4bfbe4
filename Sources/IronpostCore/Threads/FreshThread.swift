import Glibc
import Synchronization

/// Runs what a child of fork(2) does.
///
/// The locks of Swift's runtime and library name their owner by a thread number that each thread looks up once. In the
/// thread that forked, the child has its parent's number, and a lock that two threads want then is never got: both wait,
/// or spin. A thread that is made after the fork has its own.
package enum FreshThread {
    private final class Call: Sendable {
        let body: @Sendable () -> Int32
        let result = Atomic<Int32>(0)

        init(_ body: @escaping @Sendable () -> Int32) { self.body = body }
    }

    /// Returns what `body` returns, once it is over; `nil` when the system has no thread to give.
    package static func run(_ body: @escaping @Sendable () -> Int32) -> Int32? {
        let call = Call(body)
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(call).toOpaque()
        let failure = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                let call = unsafe Unmanaged<Call>.fromOpaque(context).takeRetainedValue()
                call.result.store(call.body(), ordering: .releasing)
                return nil
            }, context
        )
        guard failure == 0 else {
            unsafe Unmanaged<Call>.fromOpaque(context).release()
            return nil
        }
        pthread_join(thread, nil)
        return call.result.load(ordering: .acquiring)
    }
}
