import Glibc
import IronpostCore
import Responder

/// The responder's program. Synchronous: the keeper must be a process of one thread.
@main
enum ResponderMain {
    static func main() {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "--version":
            print("ironpost-responder \(IronpostVersion.current)")
            exit(0)
        case "--help", "-h":
            print("ironpost-responder does what the sandboxed ironpost-daemon may not. The daemon starts it by itself.")
            exit(0)
        default: break
        }
        var complaint = ""
        guard let program = ResponderProgram(arguments: arguments, environment: environment(), complaint: &complaint)
        else {
            let bytes = Array((complaint + "\n").utf8)
            _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
            exit(2)
        }
        exit(program.run())
    }

    private static func environment() -> [String: String] {
        var found: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let parts = unsafe String(cString: text).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { found[String(parts[0])] = String(parts[1]) }
            unsafe entry += 1
        }
        return found
    }
}
