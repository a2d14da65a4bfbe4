import HTTPTypes
import Hummingbird

/// One call of the API: what it is, who may make it, and what it takes.
struct Route: Sendable {
    enum Access: Sendable, Equatable {
        /// For everybody who reaches the listener.
        case open
        case role(Role)
    }

    typealias Answer = @Sendable (Call) async throws -> Response

    let method: HTTPRequest.Method
    /// As in `/api/v1/alerts/{id}`.
    let path: String
    let access: Access
    /// The query parameters it knows.
    let query: [String]
    let answer: Answer

    init(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access, query: [String] = [],
        answer: @escaping Answer
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.query = query
        self.answer = answer
    }
}

/// A request that was let in, with what its route may look at.
struct Call: Sendable {
    let role: Role?
    let path: Parameters
    let query: QueryParameters
}
