import Glibc

/// Downloads by `curl`, in a process of its own: TLS and HTTP parsing stay out of this one, and cost its start nothing.
enum CurlProgram {
    struct Answer {
        /// curl's own exit status.
        let exit: Int32
        /// The last HTTP status; 0 when there was none.
        let status: Int
        let message: String
    }

    /// curl's words for "the server cannot resume".
    static let cannotResume: Int32 = 33
    private static let bytesMax = 8 << 30
    /// Slower than this many bytes a second for so many seconds is over.
    private static let speedMin = 1000
    private static let speedSeconds = 30

    static func isAllowed(_ url: String) -> Bool {
        url.hasPrefix("https://") || isLoopback(url)
    }

    /// Plain HTTP is for mirrors on this host only.
    static func isLoopback(_ url: String) -> Bool {
        guard url.hasPrefix("http://") else { return false }
        let host = url.dropFirst(7).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !host.contains("@") else { return false }
        let name = host.hasPrefix("[") ? host.prefix { $0 != "]" } + "]" : host.prefix { $0 != ":" }
        return name == "127.0.0.1" || name == "localhost" || name == "[::1]"
    }

    static func get(
        _ url: String, to file: String, options: [String], authority: String?
    ) throws(CommandFailure) -> Answer {
        guard isAllowed(url) else {
            throw CommandFailure(.usage, "\(url): only https is used, but for a mirror on this host")
        }
        let protocols = isLoopback(url) ? "=http,https" : "=https"
        var arguments = [
            "curl", "--disable", "--silent", "--show-error", "--stderr", "-", "--fail", "--location", "--max-redirs",
            "5",
            "--proto", protocols, "--proto-redir", protocols, "--connect-timeout", "15", "--speed-limit", "\(speedMin)",
            "--speed-time", "\(speedSeconds)", "--max-filesize", "\(bytesMax)", "--write-out", "\n%{http_code}",
            "--output", file,
        ]
        if let authority { arguments += ["--cacert", authority] }
        arguments += options + ["--", url]
        let result = try ChildProgram.run(arguments)
        let lines = result.text.split(separator: "\n").map(String.init)
        return Answer(
            exit: result.exit, status: lines.last.flatMap { Int($0) } ?? 0,
            message: lines.dropLast().joined(separator: "; ")
        )
    }
}
