/// A source at work: one that reads on a thread or a task of its own into the queue.
protocol Receiver: AnyObject, Sendable {
    /// Whether it has taken up its work.
    var isReady: Bool { get }
    func start()
    /// Takes nothing more in. What it has read is still handed over.
    func stop()
    /// Returns once it has handed over everything.
    func finished() async
}
