import FoundationEssentials
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
    /// The longest body it takes; 0 for none.
    let bodyBytesMax: Int
    let answer: Answer

    init(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access, query: [String] = [],
        bodyBytesMax: Int = 0, answer: @escaping Answer
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.query = query
        self.bodyBytesMax = bodyBytesMax
        self.answer = answer
    }
}

/// A request that was let in, with what its route may look at.
struct Call: Sendable {
    let role: Role?
    let path: Parameters
    let query: QueryParameters
    let body: [UInt8]

    /// The body as JSON of a known shape.
    func document<Document: Decodable>(_ type: Document.Type) throws(APIError) -> Document {
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch let DecodingError.keyNotFound(key, _) {
            throw .badRequest("the body lacks \"\(key.stringValue)\"")
        } catch let DecodingError.typeMismatch(_, context), let DecodingError.valueNotFound(_, context) {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw .badRequest("\"\(path)\" in the body is of another type than it should be")
        } catch {
            throw .badRequest("the body is no JSON object of the shape that this call takes")
        }
    }
}
