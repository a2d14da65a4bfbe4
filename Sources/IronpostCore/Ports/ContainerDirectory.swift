/// The containers that there are now, for people and for the response.
package protocol ContainerDirectory: Sendable {
    func containers() -> ContainerListing
    /// By id, by the beginning of an id (at least 4 digits) if it is the only one, or by name.
    func resolve(_ name: String) throws(ContainerNameFault) -> ContainerRecord
}

package struct ContainerListing: Sendable {
    package var engine: EngineState
    /// By name.
    package var containers: [ContainerRecord]

    package init(engine: EngineState, containers: [ContainerRecord]) {
        self.engine = engine
        self.containers = containers
    }
}

package enum ContainerNameFault: Error, Sendable, Hashable, CustomStringConvertible {
    case unknown(String)
    case ambiguous(String, count: Int)

    package var description: String {
        switch self {
        case .unknown(let name): "no container has the name or id \(name); `ironpost containers list` shows all"
        case .ambiguous(let name, let count): "\(count) containers have ids that begin with \(name): give more of it"
        }
    }
}

/// What people ask of the response about containers.
package protocol ContainerIsolationControl: Sendable {
    /// Returns once it was carried out and verified, or (dry run) once it is known what would happen.
    func isolate(_ request: IsolationRequest) async throws(ResponseRefusal) -> IsolationOutcome
    /// Takes back everything that was done to a container.
    /// - Parameter name: as in `ContainerDirectory.resolve`.
    func release(_ name: String) async throws(ResponseRefusal) -> [ActionRecord]
}

package struct IsolationRequest: Sendable {
    /// As in `ContainerDirectory.resolve`.
    package var name: String
    package var kind: ContainerOrder.Kind
    /// `nil` takes the configured time.
    package var duration: Duration?
    package var reason: String
    /// Only says what would happen.
    package var isDryRun: Bool

    package init(name: String, kind: ContainerOrder.Kind, duration: Duration?, reason: String, isDryRun: Bool) {
        self.name = name
        self.kind = kind
        self.duration = duration
        self.reason = reason
        self.isDryRun = isDryRun
    }
}

package struct IsolationOutcome: Sendable {
    package var container: ContainerRecord
    /// `nil` for a dry run.
    package var action: ActionRecord?
    /// What was done otherwise than asked, and what is lost.
    package var note: String

    package init(container: ContainerRecord, action: ActionRecord?, note: String) {
        self.container = container
        self.action = action
        self.note = note
    }
}

/// Where nobody follows containers.
package struct NoContainers: ContainerDirectory, ContainerIsolationControl {
    package init() {}

    private static let reason = "containers are not followed"

    package func containers() -> ContainerListing {
        ContainerListing(engine: EngineState(link: .absent, socket: "", reason: Self.reason), containers: [])
    }

    package func resolve(_ name: String) throws(ContainerNameFault) -> ContainerRecord { throw .unknown(name) }

    package func isolate(_ request: IsolationRequest) async throws(ResponseRefusal) -> IsolationOutcome {
        throw ResponseRefusal(.failed, Self.reason)
    }

    package func release(_ name: String) async throws(ResponseRefusal) -> [ActionRecord] {
        throw ResponseRefusal(.failed, Self.reason)
    }
}
