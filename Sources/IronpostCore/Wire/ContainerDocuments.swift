/// Containers as the API and the command show them: `{"containers": […], "total": n, "engine": {…}}`.
package struct ContainerListDocument: Codable, Sendable, Equatable {
    package struct Engine: Codable, Sendable, Equatable {
        /// `absent`, `connecting`, `following` or `lost`.
        package var state: String
        package var socket: String
        package var version: String
        package var reason: String?
    }

    package var containers: [ContainerDocument]
    package var total: Int
    package var engine: Engine

    package init(_ listing: ContainerListing) {
        containers = listing.containers.map { ContainerDocument($0) }
        total = listing.containers.count
        let state = listing.engine
        engine = Engine(
            state: "\(state.link)", socket: state.socket, version: state.version,
            reason: state.reason.isEmpty ? nil : state.reason)
    }
}

package struct ContainerDocument: Codable, Sendable, Equatable {
    package struct Network: Codable, Sendable, Equatable {
        package var name: String
        package var ip: String?
        package var ip6: String?
    }

    package var id: String
    package var name: String
    package var image: String
    package var imageDigest: String?
    package var state: String
    package var labels: [String: String]
    package var networks: [Network]
    package var pid: Int?
    package var privileged: Bool
    package var logPath: String?
    package var created: String?
    package var started: String?
    /// Why nothing can be proved by its processes, or what of it could not be read.
    package var fault: String?

    enum CodingKeys: String, CodingKey {
        case id, name, image
        case imageDigest = "image_digest"
        case state, labels, networks, pid, privileged
        case logPath = "log_path"
        case created, started, fault
    }

    package init(_ record: ContainerRecord) {
        id = record.id.text
        name = record.name
        image = record.image
        imageDigest = record.imageDigest.isEmpty ? nil : record.imageDigest
        state = record.state.word
        labels = record.labels
        networks = record.networks.map {
            Network(
                name: $0.name, ip: $0.address4.isEmpty ? nil : $0.address4, ip6: $0.address6.isEmpty ? nil : $0.address6
            )
        }
        pid = record.pid > 0 ? Int(record.pid) : nil
        privileged = record.isPrivileged
        logPath = record.logPath.isEmpty ? nil : record.logPath
        created = record.created?.rfc3339
        started = record.started?.rfc3339
        fault = record.fault.isEmpty ? nil : record.fault
    }
}

/// What became of an order to isolate.
package struct IsolationDocument: Codable, Sendable, Equatable {
    package var container: ContainerDocument
    package var action: ActionDocument?
    package var note: String?

    package init(_ outcome: IsolationOutcome) {
        container = ContainerDocument(outcome.container)
        action = outcome.action.map { ActionDocument($0) }
        note = outcome.note.isEmpty ? nil : outcome.note
    }
}
