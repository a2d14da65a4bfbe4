/// Values that are each allowed but not together.
struct ConfigurationContradiction: Equatable {
    /// The keys that take part, the one to blame first.
    var keys: [String]
    var message: String
}

extension Configuration {
    /// The longest path of a unix socket that every kernel takes, without its NUL.
    static let socketPathBytesMax = 107

    var contradictions: [ConfigurationContradiction] {
        var found: [ConfigurationContradiction] = []
        func forbid(_ isWrong: Bool, _ keys: [String], _ message: String) {
            if isWrong { found.append(ConfigurationContradiction(keys: keys, message: message)) }
        }
        let reads = logPipeline.isEnabled
        let sources = logPipeline.sources
        forbid(
            reads && sources.isEmpty, ["log_pipeline.sources", "log_pipeline.enabled"],
            "no sources; name one of file, syslog, journald, docker, audit, or set log_pipeline.enabled to false"
        )
        forbid(
            reads && sources.contains(.file) && logPipeline.file.include.isEmpty,
            ["log_pipeline.file.include", "log_pipeline.sources"],
            "no files to follow; name some, or leave \"file\" out of log_pipeline.sources"
        )
        let syslog = logPipeline.syslog
        let receives = reads && sources.contains(.syslog)
        forbid(
            receives && syslog.udp == nil && syslog.tcp == nil && syslog.unix.isEmpty,
            ["log_pipeline.syslog.udp", "log_pipeline.syslog.tcp", "log_pipeline.syslog.unix", "log_pipeline.sources"],
            "nothing to receive on; set udp, tcp or unix, or leave \"syslog\" out of log_pipeline.sources"
        )
        forbid(
            receives && http.isEnabled && http.listen.port != 0 && syslog.tcp == http.listen,
            ["log_pipeline.syslog.tcp", "http.listen"],
            "\(http.listen) is used by both http.listen and log_pipeline.syslog.tcp; change one"
        )
        forbid(
            controlSocket.utf8.count > Self.socketPathBytesMax, ["general.control_socket", "general.data_dir"],
            "a unix socket's path has at most \(Self.socketPathBytesMax) bytes, this one \(controlSocket.utf8.count)"
        )
        forbid(
            syslog.unix.utf8.count > Self.socketPathBytesMax, ["log_pipeline.syslog.unix"],
            "a unix socket's path has at most \(Self.socketPathBytesMax) bytes, this one \(syslog.unix.utf8.count)"
        )
        forbid(
            pidFile == controlSocket, ["general.control_socket", "general.pid_file"],
            "is the same file as general.pid_file; change one"
        )
        return found
    }
}
