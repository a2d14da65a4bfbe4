import CLinux
import Glibc
import Synchronization

/// A thread of the operating system, for work that waits in system calls or must not share the concurrency pool (which
/// has two threads on a host with two cores).
package final class PlainThread: Sendable {
    private struct State {
        var isFinished = false
        /// It ended, or never started.
        var isOver = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let end = BoundedChannel<Void>(name: "thread", capacity: 1)

    /// Starts at once. Signals are blocked in the thread, so that they reach the one that handles them.
    /// - Parameter name: shown by `ps -L`; the first 15 bytes count.
    package init(name: String, body: @escaping @Sendable () -> Void) {
        let start = ThreadStart(name: name) { [self] in
            body()
            state.withLock { $0.isFinished = true }
            release()
        }
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let context = unsafe Unmanaged.passRetained(start).toOpaque()
        let result = unsafe pthread_create(
            &thread, &attributes,
            { context in
                guard let context = unsafe context else { return nil }
                let start = unsafe Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue()
                start.run()
                return nil
            }, context
        )
        unsafe pthread_attr_destroy(&attributes)
        if result != 0 {
            // The system has no thread to give (RLIMIT_NPROC, cgroup pids.max): the work never starts, and whoever
            // waits for its end is released; the owner's health shows it.
            unsafe Unmanaged<ThreadStart>.fromOpaque(context).release()
            release()
        }
    }

    private func release() {
        let waiters = state.withLock { state in
            state.isOver = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
        end.close()
    }

    package var isFinished: Bool { state.withLock { $0.isFinished } }

    /// Waits for the end of the body, also in a task that is cancelled: what the thread still does is not over before.
    package func join() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver { state.waiters.append(continuation) }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
    }

    package func joinBlocking() {
        _ = end.receiveBlocking(max: 1)
    }
}

private final class ThreadStart: Sendable {
    private let name: String
    private let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }

    func run() {
        var signals = sigset_t()
        unsafe sigfillset(&signals)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        unsafe ip_thread_name(name)
        body()
    }
}
