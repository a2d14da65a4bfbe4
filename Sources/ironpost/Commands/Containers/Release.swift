import ArgumentParser
import IronpostCore

struct Release: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Take back everything that was done to a container.",
        discussion: "Example: ironpost release web-1"
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The container's name, id, or the beginning of its id.") var name: String

    func run() async throws {
        let done = try await ControlClient(global).post(
            ContainerPath.path(name, "release", query: []), as: ActionListDocument.self)
        guard output.format == .table else { return try Output.json(done) }
        for action in done.actions {
            Output.write(Escaping.line("\(action.target): \(action.actionType) \(action.state)"))
        }
    }
}

/// Where the API has a container.
enum ContainerPath {
    static func path(_ name: String, _ verb: String, query: [(String, String)]) -> String {
        let pairs = query.map { "\($0.0)=\(escaped($0.1))" }.joined(separator: "&")
        return "/api/v1/containers/\(escaped(name))/\(verb)" + (pairs.isEmpty ? "" : "?" + pairs)
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.reduce(into: "") { out, byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E
            if isPlain {
                out.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}
