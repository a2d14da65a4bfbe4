import HTTPTypes
import Hummingbird
import IronpostCore
import Logging
import NIOCore

@testable import ControlAPI

extension AccessTests {
    static func routes(stub: StubPorts = StubPorts()) -> [Route] {
        let options = ControlOptions(socketPath: "", listen: nil, tokenFile: "", nodeName: "host", version: "1")
        return Routes(options: options, ports: stub.ports, time: SystemTime(), isStopping: { false }).all
    }

    /// The status that a peer of the control socket with this role gets.
    static func respond(_ method: HTTPRequest.Method, _ path: String, role: Role, stub: StubPorts) async -> Int {
        let gate = Gate(token: nil, configuredHost: "", bounds: ControlBounds())
        let responder = APIResponder(routes: routes(stub: stub), gate: gate, logger: Logger(label: "test"))
        let request = Request(
            head: HTTPRequest(method: method, scheme: nil, authority: nil, path: path),
            body: RequestBody(buffer: ByteBuffer())
        )
        let peer = PeerCredentials(pid: 1, uid: 1, gid: 1, groups: [])
        return await responder.respond(request, door: .socket(role, peer)).status.code
    }
}
