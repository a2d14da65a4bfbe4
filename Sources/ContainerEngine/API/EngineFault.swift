/// Why the engine gave no usable answer.
package enum EngineFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// Nobody listens on the socket, or it is not there.
    case absent(String)
    /// The deadline passed while connecting, or in the middle of an answer.
    case timedOut(String)
    /// The connection ended in the middle of an answer.
    case truncated(String)
    /// The answer is no HTTP, or no JSON of the expected shape.
    case malformed(String)
    /// The answer is longer than the bound of that call.
    case tooLarge(String, bytesMax: Int)
    /// An answer with an error status; the engine's own words, cut.
    case refused(status: Int, message: String)
    /// The engine speaks no version that we speak.
    case versionUnsupported(String)

    package var description: String {
        switch self {
        case .absent(let what): "no container engine: \(what)"
        case .timedOut(let what): "the container engine did not answer in time (\(what))"
        case .truncated(let what): "the container engine's answer ended early (\(what))"
        case .malformed(let what): "the container engine's answer cannot be read (\(what))"
        case .tooLarge(let what, let bytesMax):
            "the container engine's answer is longer than \(bytesMax) bytes (\(what))"
        case .refused(let status, let message): "the container engine answered \(status): \(message)"
        case .versionUnsupported(let what): "the container engine's API cannot be used: \(what)"
        }
    }

    /// Whether the engine itself is away or hangs, as opposed to not liking the request.
    package var isOutage: Bool {
        switch self {
        case .absent, .timedOut, .truncated: true
        case .malformed, .tooLarge, .refused, .versionUnsupported: false
        }
    }
}
