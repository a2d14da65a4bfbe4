/// What a script can tell from how a command ended: contract, section 2.
enum ExitStatus: Int32, Sendable {
    case success = 0
    case failure = 1
    case usage = 2
    case daemonNotReachable = 3
    case threshold = 4
    case inputOutput = 10
}

/// A command's end other than success.
struct CommandFailure: Error, Equatable {
    let status: ExitStatus
    /// For stderr; `nil` when all was said.
    let message: String?

    init(_ status: ExitStatus, _ message: String? = nil) {
        self.status = status
        self.message = message
    }
}
