/// How the core asks the responder, the small privileged process that does what the core may not.
///
/// Every verb can be repeated: after `timedOut` and `failed` it is not known whether it happened.
package protocol ResponderLink: Sendable {
    /// - Throws: `ResponderError`, or `CancellationError` when the task is cancelled.
    func call(_ request: ResponderRequest, timeout: Duration) async throws -> ResponderReply

    /// The same for a plain thread, which waits.
    func callBlocking(_ request: ResponderRequest, timeout: Duration) throws(ResponderError) -> ResponderReply
}

package struct ResponderRequest: Sendable {
    package var verb: ResponderVerb
    package var body: [UInt8]
    package var descriptors: [OwnedDescriptor]

    package init(_ verb: ResponderVerb, body: [UInt8] = [], descriptors: [OwnedDescriptor] = []) {
        self.verb = verb
        self.body = body
        self.descriptors = descriptors
    }

    /// - Parameter body: writes what the verb needs.
    package init(_ verb: ResponderVerb, _ body: (inout MessageWriter) -> Void) {
        var writer = MessageWriter()
        body(&writer)
        self.init(verb, body: writer.bytes)
    }
}

package struct ResponderReply: Sendable {
    package var body: [UInt8]
    /// Closed when nobody holds them.
    package var descriptors: [OwnedDescriptor]

    package init(body: [UInt8] = [], descriptors: [OwnedDescriptor] = []) {
        self.body = body
        self.descriptors = descriptors
    }

    /// - Parameter body: writes what the verb answers.
    package init(descriptors: [OwnedDescriptor] = [], _ body: (inout MessageWriter) -> Void) {
        var writer = MessageWriter()
        body(&writer)
        self.init(body: writer.bytes, descriptors: descriptors)
    }

    /// Reads the body to its end; bytes that are off are the responder's failure.
    package func read<Value>(
        _ body: (inout MessageReader) throws(MessageFault) -> Value
    ) throws(ResponderError) -> Value {
        var reader = MessageReader(self.body)
        do throws(MessageFault) {
            let value = try body(&reader)
            try reader.finish()
            return value
        } catch {
            throw .failed("the responder's answer \(error)")
        }
    }
}

package enum ResponderError: Error, Equatable, CustomStringConvertible {
    /// There is no responder to ask.
    case absent(String)
    case timedOut(verb: ResponderVerb, after: Duration)
    /// A guardrail, a rule or the configuration says no.
    case refused(String)
    case failed(String)

    package var description: String {
        switch self {
        case .absent(let why): "there is no responder: \(why)"
        case .timedOut(let verb, let after): "the responder did not answer \(verb) within \(after)"
        case .refused(let why): "the responder refuses: \(why)"
        case .failed(let why): why
        }
    }
}

/// Where there is no responder.
package struct AbsentResponder: ResponderLink {
    package let reason: String

    package init(_ reason: String) {
        self.reason = reason
    }

    package func call(_ request: ResponderRequest, timeout: Duration) async throws -> ResponderReply {
        throw ResponderError.absent(reason)
    }

    package func callBlocking(
        _ request: ResponderRequest, timeout: Duration
    ) throws(ResponderError) -> ResponderReply {
        throw .absent(reason)
    }
}
