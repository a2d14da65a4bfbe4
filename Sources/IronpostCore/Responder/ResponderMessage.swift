/// One message as it travels: a header of 16 bytes, then what the verb says.
///
///     version 1 · kind 1 · verb 1 · outcome 1 · milliseconds 4 · id 8
package struct ResponderMessage: Sendable {
    package static let version: UInt8 = 1
    package static let headerBytes = 16

    package enum Kind: UInt8, Sendable {
        /// From a worker that starts, before everything else: who it is and why there is a new one.
        case hello = 0
        case request = 1
        case reply = 2
    }

    package enum Outcome: UInt8, Sendable {
        case done = 0
        /// A guardrail, a rule or the configuration says no.
        case refused = 1
        /// It was tried and did not work.
        case failed = 2
    }

    package var kind: Kind
    /// The raw number: a verb that this version does not know can still be answered.
    package var verb: UInt8
    package var outcome: Outcome
    /// Of a request: how long its sender waits.
    package var milliseconds: UInt32
    package var id: UInt64
    /// Of a request and a reply that is done: the verb's own; otherwise the reason as text.
    package var body: [UInt8]

    package init(
        kind: Kind, verb: UInt8, outcome: Outcome = .done, milliseconds: UInt32 = 0, id: UInt64, body: [UInt8]
    ) {
        self.kind = kind
        self.verb = verb
        self.outcome = outcome
        self.milliseconds = milliseconds
        self.id = id
        self.body = body
    }

    package func encoded() throws(MessageFault) -> [UInt8] {
        guard Self.headerBytes + body.count <= MessageBounds.bytesMax else {
            throw MessageFault("a message of \(body.count) bytes is larger than \(MessageBounds.bytesMax)")
        }
        var writer = MessageWriter()
        writer.write(Self.version)
        writer.write(kind.rawValue)
        writer.write(verb)
        writer.write(outcome.rawValue)
        writer.write(milliseconds)
        writer.write(id)
        return writer.bytes + body
    }

    package init(decoding bytes: [UInt8]) throws(MessageFault) {
        var reader = MessageReader(bytes)
        let version = try reader.integer(UInt8.self)
        guard version == Self.version else { throw MessageFault("is of version \(version), not \(Self.version)") }
        guard let kind = Kind(rawValue: try reader.integer(UInt8.self)) else {
            throw MessageFault("is of a kind that there is not")
        }
        self.kind = kind
        verb = try reader.integer(UInt8.self)
        guard let outcome = Outcome(rawValue: try reader.integer(UInt8.self)) else {
            throw MessageFault("has an outcome that there is not")
        }
        self.outcome = outcome
        milliseconds = try reader.integer(UInt32.self)
        id = try reader.integer(UInt64.self)
        body = reader.rest
    }
}

/// What a worker says of itself first.
package struct ResponderHello: Sendable, Equatable {
    package enum LastEnd: UInt8, Sendable {
        case none = 0
        case exited = 1
        case killed = 2
        case hung = 3
        case orphaned = 4
    }

    /// Counts the workers since the daemon started; the first is 1.
    package var epoch: UInt32
    package var pid: UInt32
    /// Why there is a new one, and its exit status or signal.
    package var lastEnd: LastEnd
    package var lastCode: UInt32

    package init(epoch: UInt32, pid: UInt32, lastEnd: LastEnd, lastCode: UInt32) {
        self.epoch = epoch
        self.pid = pid
        self.lastEnd = lastEnd
        self.lastCode = lastCode
    }

    package func encoded() -> [UInt8] {
        var writer = MessageWriter()
        writer.write(epoch)
        writer.write(pid)
        writer.write(lastEnd.rawValue)
        writer.write(lastCode)
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MessageFault) {
        var reader = MessageReader(bytes)
        epoch = try reader.integer(UInt32.self)
        pid = try reader.integer(UInt32.self)
        guard let end = LastEnd(rawValue: try reader.integer(UInt8.self)) else {
            throw MessageFault("names an end that there is not")
        }
        lastEnd = end
        lastCode = try reader.integer(UInt32.self)
        try reader.finish()
    }

    /// Why the last one ended, in words; nil for the first.
    package var reason: String? {
        switch lastEnd {
        case .none: nil
        case .exited: "it ended with status \(lastCode)"
        case .killed: "it was killed by signal \(lastCode)"
        case .hung: "it hung"
        case .orphaned: "its keeper was killed"
        }
    }
}
