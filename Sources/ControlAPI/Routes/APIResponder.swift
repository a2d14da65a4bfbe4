import HTTPTypes
import Hummingbird
import IronpostCore
import Logging

/// Takes a request through the host check, the router and the route's gate, and turns whatever goes wrong into JSON.
struct APIResponder: Sendable {
    private let gate: Gate
    private let responder: RouterResponder<ControlContext>
    private let methods: [String: [String]]
    private let logger: Logger

    init(routes: [Route], gate: Gate, logger: Logger) {
        self.gate = gate
        self.logger = logger
        responder = Self.router(routes, gate: gate).buildResponder()
        methods = Dictionary(grouping: routes, by: \.path).mapValues { $0.map(\.method.rawValue) }
    }

    static func router(_ routes: [Route], gate: Gate) -> Router<ControlContext> {
        let router = Router(context: ControlContext.self, options: .autoGenerateHeadEndpoints)
        for route in routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                let role = try gate.admit(request, door: context.door, to: route.access)
                let query = try QueryParameters(request.uri.query, allowed: route.query)
                let body = try await gate.body(of: request, bytesMax: route.bodyBytesMax)
                return try await route.answer(Call(role: role, path: context.parameters, query: query, body: body))
            }
        }
        return router
    }

    func respond(_ request: Request, door: Door) async -> Response {
        var response: Response
        do {
            try gate.checkHost(request, door: door)
            let context = ControlContext(source: ControlContextSource(door: door, logger: logger))
            response = try await responder.respond(to: request, context: context)
            if response.status == .notFound, response.headers[.contentType] == nil {
                response = notFound(request)
            }
        } catch let error as APIError {
            response = error.response
        } catch {
            logger.warning("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            response = APIError.unavailable.response
        }
        response.headers[.xContentTypeOptions] = "nosniff"
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        if response.status.kind == .clientError, Self.hasBody(request) { response.headers[.connection] = "close" }
        return response
    }

    private func notFound(_ request: Request) -> Response {
        guard let allowed = methods[request.uri.path] else { return APIError.notFound("no such page").response }
        let methods = allowed.joined(separator: ", ")
        return APIError(
            status: .methodNotAllowed, code: "method_not_allowed", message: "this takes \(methods)",
            headers: [.allow: methods]
        ).response
    }

    private static func hasBody(_ request: Request) -> Bool {
        request.headers[.transferEncoding] != nil || request.headers[.contentLength].map { $0 != "0" } ?? false
    }
}
