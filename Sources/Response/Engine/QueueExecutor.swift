internal import Dispatch

/// Runs an actor on a queue of its own: what it does waits for the disk, and must not hold one of the few threads that
/// all tasks share.
final class QueueExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(name: String) {
        queue = DispatchQueue(label: name)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { [self] in unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
    }
}
