/// Whether something does what it is for. Ordered from good to bad.
package enum Health: Sendable, Hashable {
    case healthy
    case degraded(String)
    case unhealthy(String)

    package var word: String {
        switch self {
        case .healthy: "healthy"
        case .degraded: "degraded"
        case .unhealthy: "unhealthy"
        }
    }

    package var reason: String? {
        switch self {
        case .healthy: nil
        case .degraded(let reason), .unhealthy(let reason): reason
        }
    }

    private var rank: Int {
        switch self {
        case .healthy: 0
        case .degraded: 1
        case .unhealthy: 2
        }
    }

    /// The worst of all, with every reason that is not "healthy": a degraded part is not hidden by an unhealthy one.
    package static func worst(of parts: [(name: String, health: Health)]) -> Health {
        let reasons = parts.compactMap { part in part.health.reason.map { "\(part.name): \($0)" } }
        switch parts.map(\.health.rank).max() ?? 0 {
        case 0: return .healthy
        case 1: return .degraded(reasons.joined(separator: "; "))
        default: return .unhealthy(reasons.joined(separator: "; "))
        }
    }
}
