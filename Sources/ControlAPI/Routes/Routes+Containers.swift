import HTTPTypes
import Hummingbird
import IronpostCore

/// Calls about containers.
extension Routes {
    var containers: [Route] {
        [
            Route(.get, "/api/v1/containers", .role(.viewer)) { _ in
                JSONBody.response(ContainerListDocument(ports.containers.containers()))
            },
            Route(
                .post, "/api/v1/containers/{name}/isolate", .role(.operator),
                query: ["action", "ttl", "reason", "dry_run"], answer: isolate
            ),
            Route(.post, "/api/v1/containers/{name}/release", .role(.operator), answer: release),
        ]
    }

    private func isolate(_ call: Call) async throws -> Response {
        let kinds = ContainerOrder.Kind.allCases.map(\.word)
        let kind = try call.query.one("action", allowed: "one of " + kinds.joined(separator: ", ")) {
            ContainerOrder.Kind(word: $0)
        }
        let duration = try call.query.one("ttl", allowed: "a duration from 1s to 7d, as in 90s, 10m, 4h") { text in
            DurationText.parse(text).flatMap { (.seconds(1)...(.seconds(7 * 86_400))).contains($0) ? $0 : nil }
        }
        let request = IsolationRequest(
            name: try name(call), kind: kind ?? .freeze, duration: duration,
            reason: try call.query.one("reason") ?? "",
            isDryRun: try call.query.one("dry_run", allowed: "true or false") { Bool($0) } ?? false)
        do throws(ResponseRefusal) {
            return JSONBody.response(IsolationDocument(try await ports.isolation.isolate(request)))
        } catch {
            throw APIError(error)
        }
    }

    private func release(_ call: Call) async throws -> Response {
        do throws(ResponseRefusal) {
            let records = try await ports.isolation.release(try name(call))
            return JSONBody.response(ActionListDocument(actions: records.map { ActionDocument($0) }))
        } catch {
            throw APIError(error)
        }
    }

    private func name(_ call: Call) throws(ResponseRefusal) -> String {
        guard let text = call.path.get("name"), !text.isEmpty, text.utf8.count <= ContainerRecord.nameBytesMax else {
            throw ResponseRefusal(.unknown, "a container's name or id is missing")
        }
        return text
    }
}
