import HTTPTypes
import Hummingbird
import IronpostCore

/// Decides whether a request may go on to its route.
struct Gate: Sendable {
    /// `nil` when the token file cannot be used: then nothing that needs a token is served on TCP.
    let token: AccessToken?
    let configuredHost: String
    let bounds: ControlBounds

    /// Throws unless the request names this host. The control socket has no names.
    func checkHost(_ request: Request, door: Door) throws(APIError) {
        guard case .network(let local) = door else { return }
        guard let authority = request.head.authority, !authority.isEmpty else {
            throw .badRequest("the Host header is missing")
        }
        // The first became the authority; what stands in front of us may have believed another (RFC 9112, 3.2).
        if let host = HTTPField.Name("Host"), request.headers[host] != nil {
            throw .badRequest("there is more than one Host header")
        }
        guard HostNames(configured: configuredHost, local: local).allow(authority) else { throw .misdirected }
    }

    /// The client's role, where it proved one. Throws when the route asks for more.
    func admit(_ request: Request, door: Door, to access: Route.Access) throws(APIError) -> Role? {
        let role = role(of: request, door: door)
        switch access {
        case .open: return role
        case .role(let needed):
            guard let role else { throw .unauthorized }
            guard role >= needed else { throw .forbidden(needed: needed, role: role) }
            return role
        }
    }

    private func role(of request: Request, door: Door) -> Role? {
        switch door {
        case .socket(let role, _): return role
        case .network:
            guard let token, let header = request.headers[.authorization] else { return nil }
            let parts = header.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "bearer", token.matches(parts[1]) else { return nil }
            return .admin
        }
    }

    /// Reads a body within its bounds.
    /// - Parameter bytesMax: 0 for a call that takes none; then it must be empty or an empty object.
    func body(of request: Request, bytesMax: Int) async throws -> [UInt8] {
        let limit = max(bytesMax, bounds.bodyBytesMax)
        let declared = request.headers[.contentLength].map { Int($0) ?? .max } ?? 0
        guard declared <= limit else { throw APIError.bodyTooLarge }
        guard declared > 0 || request.headers[.transferEncoding] != nil else { return [] }
        let body = try await collect(request.body, limit)
        guard bytesMax == 0 else { return Array(body.readableBytesView) }
        let text = String(validating: body.readableBytesView, as: UTF8.self)
        guard let text, text.filter({ !$0.isWhitespace }).isEmpty || text.filter({ !$0.isWhitespace }) == "{}" else {
            throw APIError.badRequest("this call takes no body, or an empty JSON object")
        }
        return []
    }

    private func collect(_ body: RequestBody, _ limit: Int) async throws -> ByteBuffer {
        let bounds = bounds
        return try await withThrowingTaskGroup(of: ByteBuffer.self) { group in
            group.addTask {
                var all = ByteBuffer()
                for try await part in body {
                    guard all.readableBytes + part.readableBytes <= limit else {
                        throw APIError.bodyTooLarge
                    }
                    all.writeImmutableBuffer(part)
                }
                return all
            }
            group.addTask {
                try await Task.sleep(for: bounds.bodyTimeout)
                throw APIError.bodyTooSlow
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }
}
