import FoundationEssentials

/// How the engine writes the names of members: as here, with a capital first.
enum EngineNames {
    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    static func decoder() -> JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { path in
            let name = path.last?.stringValue ?? ""
            return Name(stringValue: name.prefix(1).lowercased() + name.dropFirst())
        }
        return decoder
    }

    static func encoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .custom { path in
            let name = path.last?.stringValue ?? ""
            return Name(stringValue: name.prefix(1).uppercased() + name.dropFirst())
        }
        return encoder
    }
}

/// What the engine answers; only what is used, and everything optional: versions and engines differ.
struct ListedContainer: Decodable, Sendable {
    var id: String
    var state: String?
    var names: [String]?
    var image: String?
    var created: Int64?
}

struct InspectedContainer: Decodable, Sendable {
    struct Status: Decodable, Sendable {
        var status: String?
        var running: Bool?
        var paused: Bool?
        var restarting: Bool?
        var pid: Int?
        var startedAt: String?
        var finishedAt: String?
        var exitCode: Int?
    }

    struct LogConfig: Decodable, Sendable {
        var type: String?
    }

    struct Host: Decodable, Sendable {
        var networkMode: String?
        var pidMode: String?
        var ipcMode: String?
        var privileged: Bool?
        var capAdd: [String]?
        var logConfig: LogConfig?
        var cpuQuota: Int64?
        var cpuPeriod: Int64?
        var nanoCpus: Int64?
        var binds: [String]?
    }

    struct Settings: Decodable, Sendable {
        var image: String?
        var labels: [String: String]?
        var tty: Bool?
    }

    struct Addressing: Codable, Sendable {
        var iPv4Address: String?
        var iPv6Address: String?
    }

    struct Endpoint: Decodable, Sendable {
        var networkID: String?
        var iPAddress: String?
        var globalIPv6Address: String?
        var macAddress: String?
        var aliases: [String]?
        var iPAMConfig: Addressing?
    }

    struct Networking: Decodable, Sendable {
        var networks: [String: Endpoint]?
    }

    var id: String
    var name: String?
    var created: String?
    /// The image's digest.
    var image: String?
    var logPath: String?
    var state: Status?
    var hostConfig: Host?
    var config: Settings?
    var networkSettings: Networking?
}

struct EventDocument: Decodable, Sendable {
    struct Subject: Decodable, Sendable {
        var iD: String?
        var attributes: [String: String]?
    }

    var type: String?
    var action: String?
    var actor: Subject?
    /// Of versions before 1.52.
    var id: String?
    var status: String?
    var timeNano: Int64?
}

struct ErrorDocument: Decodable, Sendable {
    var message: String?
    /// Podman's.
    var cause: String?
}

struct ConnectDocument: Encodable, Sendable {
    struct Endpoint: Encodable, Sendable {
        var iPAMConfig: InspectedContainer.Addressing?
        var aliases: [String]?
    }

    var container: String
    var endpointConfig: Endpoint
}

struct DisconnectDocument: Encodable, Sendable {
    var container: String
    var force: Bool
}

struct CPUDocument: Encodable, Sendable {
    var cpuPeriod: Int64
    var cpuQuota: Int64
}

struct NetworkDocument: Decodable, Sendable {
    struct Subnet: Decodable, Sendable {
        var subnet: String?
    }

    struct Management: Decodable, Sendable {
        var config: [Subnet]?
    }

    var id: String?
    var name: String?
    var iPAM: Management?
}
