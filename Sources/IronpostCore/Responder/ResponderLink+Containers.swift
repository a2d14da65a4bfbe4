/// One thing to be done to a container, or taken back.
package struct ContainerOrder: Sendable, Hashable {
    package enum Kind: UInt8, Sendable, CaseIterable {
        case freeze, pause, stop, kill, networkDisconnect, throttle

        /// As in `ActionRecord.actionType`.
        package var actionType: String { "container_\(word)" }

        /// As people and policies write it.
        package var word: String { self == .networkDisconnect ? "network_disconnect" : "\(self)" }

        package init?(word: String) {
            guard let kind = Self.allCases.first(where: { $0.word == word }) else { return nil }
            self = kind
        }

        package init?(actionType: String) {
            guard let kind = Self.allCases.first(where: { $0.actionType == actionType }) else { return nil }
            self = kind
        }
    }

    package var kind: Kind
    package var container: ContainerID
    /// The action's id: names its evidence.
    package var action: UUIDv7
    /// Decided by a policy, not asked for by a person: then the responder's own budget counts it.
    package var isAutomatic: Bool
    /// Networks by name; empty for all.
    package var networks: [String]
    /// What `prepare` found, for everything after it.
    package var detail: String
    /// The alert as JSON, for the evidence; empty where there is none.
    package var alert: [UInt8]

    package static let detailBytesMax = 32 << 10
    package static let alertBytesMax = 64 << 10
    package static let networksMax = 64

    package init(
        kind: Kind, container: ContainerID, action: UUIDv7, isAutomatic: Bool, networks: [String] = [],
        detail: String = "", alert: [UInt8] = []
    ) {
        self.kind = kind
        self.container = container
        self.action = action
        self.isAutomatic = isAutomatic
        self.networks = networks
        self.detail = detail
        self.alert = alert
    }

    package func write(to writer: inout MessageWriter) {
        writer.write(kind.rawValue)
        writer.write(container.text)
        writer.write(action.description)
        writer.write(isAutomatic)
        writer.write(networks) { $0.write($1) }
        writer.write(detail)
        writer.write(alert)
    }

    package init(from reader: inout MessageReader) throws(MessageFault) {
        guard let kind = Kind(rawValue: try reader.integer(UInt8.self)) else {
            throw MessageFault("has an unknown kind of action")
        }
        let container = try ContainerID(from: &reader)
        guard let action = UUIDv7(try reader.text(max: 64)) else { throw MessageFault("has an id that is no action's") }
        self.init(
            kind: kind, container: container, action: action, isAutomatic: try reader.bool(),
            networks: try reader.list(max: Self.networksMax) { (reader) throws(MessageFault) in try reader.text() },
            detail: try reader.text(max: Self.detailBytesMax), alert: try reader.bytes(max: Self.alertBytesMax))
    }
}

/// What became of an order.
package struct ContainerOutcome: Sendable, Hashable {
    /// It is in force (or, after undoing, it is not).
    package var isSettled: Bool
    /// For people: what was done otherwise than asked, and what is lost; empty when all went as asked.
    package var note: String
    package var detail: String
    package var evidencePath: String

    package init(isSettled: Bool, note: String = "", detail: String = "", evidencePath: String = "") {
        self.isSettled = isSettled
        self.note = note
        self.detail = detail
        self.evidencePath = evidencePath
    }

    package func write(to writer: inout MessageWriter) {
        writer.write(isSettled)
        writer.write(note)
        writer.write(detail)
        writer.write(evidencePath)
    }

    package init(from reader: inout MessageReader) throws(MessageFault) {
        self.init(
            isSettled: try reader.bool(), note: try reader.text(),
            detail: try reader.text(max: ContainerOrder.detailBytesMax), evidencePath: try reader.text())
    }
}

extension ResponderLink {
    /// What changed among the containers since `cursor`; waits up to `patience` when nothing did.
    package func containerChanges(
        since cursor: ContainerCursor, engine: EngineState?, patience: Duration
    ) async throws -> ContainerChanges {
        let request = ResponderRequest(.containerChanges) { writer in
            cursor.write(to: &writer)
            writer.write(engine) { $1.write(to: &$0) }
            writer.write(UInt32(clamping: patience.nanoseconds / 1_000_000))
        }
        return try await call(request, timeout: patience + .seconds(5)).read { (reader) throws(MessageFault) in
            try ContainerChanges(from: &reader)
        }
    }

    /// Opens the log that the engine writes for a container, for reading. For a plain thread.
    package func openContainerLog(
        _ id: ContainerID, timeout: Duration = .seconds(2)
    ) throws(ResponderError) -> OwnedDescriptor {
        let reply = try callBlocking(ResponderRequest(.openContainerLog) { $0.write(id.text) }, timeout: timeout)
        guard reply.body.isEmpty, reply.descriptors.count == 1 else {
            throw .failed("the responder's answer has no descriptor")
        }
        return reply.descriptors[0]
    }

    /// Looks up what is needed to act on a container and to undo it; changes nothing.
    package func prepareContainer(
        _ order: ContainerOrder, timeout: Duration = .seconds(15)
    ) async throws -> ContainerOutcome {
        try await carry(.prepareContainer, order, timeout: timeout)
    }

    /// Brings it about and verifies it; finds it so already as well.
    package func isolateContainer(_ order: ContainerOrder) async throws -> ContainerOutcome {
        try await carry(.isolateContainer, order, timeout: .seconds(60))
    }

    /// Whether it is in force, looked up in the kernel and the engine.
    package func verifyContainer(_ order: ContainerOrder) async throws -> ContainerOutcome {
        try await carry(.verifyContainer, order, timeout: .seconds(15))
    }

    /// Takes it back and verifies that.
    package func releaseContainer(_ order: ContainerOrder) async throws -> ContainerOutcome {
        try await carry(.releaseContainer, order, timeout: .seconds(60))
    }

    private func carry(
        _ verb: ResponderVerb, _ order: ContainerOrder, timeout: Duration
    ) async throws -> ContainerOutcome {
        try await call(ResponderRequest(verb) { order.write(to: &$0) }, timeout: timeout)
            .read { (reader) throws(MessageFault) in try ContainerOutcome(from: &reader) }
    }
}
