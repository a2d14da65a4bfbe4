import HTTPTypes
import Hummingbird
import IronpostCore

/// A refusal: what a client did wrong or may not do, in words that tell nothing of the inside.
struct APIError: Error, Sendable {
    let status: HTTPResponse.Status
    let code: String
    let message: String
    var headers: HTTPFields = [:]

    static func badRequest(_ message: String) -> APIError {
        APIError(status: .badRequest, code: "bad_request", message: message)
    }

    static func notFound(_ message: String) -> APIError {
        APIError(status: .notFound, code: "not_found", message: message)
    }

    static let unauthorized = APIError(
        status: .unauthorized, code: "unauthorized",
        message: "this needs the header Authorization: Bearer TOKEN; the token is in the daemon's token file",
        headers: [.wwwAuthenticate: "Bearer realm=\"ironpost\""]
    )

    static func forbidden(needed: Role, role: Role) -> APIError {
        APIError(
            status: .forbidden, code: "forbidden",
            message: "this needs the role \(needed.rawValue), yours is \(role.rawValue)"
        )
    }

    static let misdirected = APIError(
        status: .misdirectedRequest, code: "wrong_host",
        message: "the Host header names another host than the one that is listened on"
    )

    static let bodyTooLarge = APIError(
        status: .contentTooLarge, code: "body_too_large", message: "the request's body is too large"
    )

    static let bodyTooSlow = APIError(
        status: .requestTimeout, code: "body_too_slow", message: "the request's body did not arrive in time"
    )

    static let tooManyWatchers = APIError(
        status: .serviceUnavailable, code: "too_many_watchers", message: "too many clients watch already"
    )

    static let stopping = APIError(
        status: .serviceUnavailable, code: "stopping", message: "the daemon is stopping"
    )

    static let unavailable = APIError(
        status: .internalServerError, code: "internal", message: "the daemon could not do this; its log says why"
    )

    var response: Response {
        var response = JSONBody.response(ErrorDocument(code: code, message: message), status: status)
        response.headers.append(contentsOf: headers)
        return response
    }
}
