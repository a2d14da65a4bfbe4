import CLinux
import Glibc
import IronpostCore
import Logging

/// The program `ironpost-responder`: the keeper, and in its child the worker.
package struct ResponderProgram {
    /// The core's socket, where the daemon puts it.
    package static let socketNumber: Int32 = 3

    /// What the verbs need. Everything else is given up before anything is read from the core.
    static let capabilities: [Int32] = [
        CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_KILL, CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_SYS_RESOURCE,
        CAP_PERFMON, CAP_BPF,
    ]

    private var sources: ConfigurationSources
    private var firstEpoch: UInt32 = 1
    private var wasOrphaned = false
    private let arguments: [String]

    /// - Parameter arguments: with the program's name.
    /// - Returns: nil, and `complaint` says why, when they are not what the daemon gives.
    package init?(arguments: [String], environment: [String: String], complaint: inout String) {
        var file: String?
        var settings: [ConfigurationSources.Setting] = []
        var hasSocket = false
        var rest = arguments.dropFirst()
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else {
                complaint = "\(option) needs a value"
                return nil
            }
            switch option {
            case "--core-socket": hasSocket = value == "\(Self.socketNumber)"
            case "-c": file = value
            case "--set": settings.append(ConfigurationSources.Setting(set: value))
            case "--epoch":
                guard let epoch = UInt32(value), epoch > 0 else {
                    complaint = "--epoch \(value) is not a number"
                    return nil
                }
                firstEpoch = epoch
                wasOrphaned = true
            default:
                complaint = "there is no option \(option)"
                return nil
            }
        }
        guard hasSocket, Self.isMessageSocket(Self.socketNumber) else {
            complaint = "ironpost-responder is started by ironpost-daemon, with the socket between the two"
            return nil
        }
        self.arguments = arguments
        sources = ConfigurationSources(configOption: file, environment: environment, settings: settings)
    }

    /// Never returns in the keeper; in a worker, when the core is gone.
    /// - Returns: the exit status.
    package func run() -> Int32 {
        _ = fcntl(Self.socketNumber, F_SETFD, FD_CLOEXEC)
        // Whatever whoever started the daemon left open is not ours to hold.
        ip_close_from(Self.socketNumber + 1)
        let configuration: Configuration
        switch Configuration.load(sources) {
        case .success(let loaded): configuration = loaded.configuration
        case .failure(let faults):
            Self.complain("ironpost-responder: \(faults.faults.map { "\($0)" }.joined(separator: "; "))")
            return 2
        }
        let keep = Self.capabilities.reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
        let result = min(ip_limit_capabilities(keep), ip_harden_process())
        guard result == 0 else {
            Self.complain("ironpost-responder: cannot give up privileges: \(unsafe String(cString: strerror(-result)))")
            return 1
        }
        // A kernel without seccomp filters is no reason to have no responder.
        _ = ip_forbid_calls(IP_CALLS_OF_RESPONDER)
        umask(0o077)
        let lastEnd = wasOrphaned ? IP_WORKER_ORPHANED.rawValue : IP_WORKER_FIRST.rawValue
        let place = ip_keep_worker(Self.socketNumber, firstEpoch, lastEnd)
        // From here on this is a worker, the child of the keeper.
        FreshThread.run { [self] in work(place, configuration) }
    }

    private func work(_ place: ip_worker, _ configuration: Configuration) -> Int32 {
        let logs = LogOutput(directives: configuration.general.logLevel, format: configuration.general.logFormat)
        let logger = logs.logger(label: "responder")
        let worker = ResponderWorker(
            socket: MessageSocket(OwnedDescriptor(Self.socketNumber)), place: place,
            areas: ResponderAreas.make(configuration, logger: logger),
            reload: { [sources] isDryRun in
                let new = try Configuration.load(sources).get().configuration
                if !isDryRun { logs.apply(directives: new.general.logLevel, format: new.general.logFormat) }
                return new
            },
            logger: logger
        )
        switch worker.run() {
        case .coreIsGone: return 0
        case .keeperIsGone:
            logger.warning("the keeper is gone: starting anew")
            becomeKeeper(epoch: place.epoch &+ 1)
            logger.critical("cannot start anew: \(unsafe String(cString: strerror(errno)))")
            return 1
        }
    }

    /// Replaces this process by a keeper with a worker of its own; returns only when that fails.
    private func becomeKeeper(epoch: UInt32) {
        _ = fcntl(Self.socketNumber, F_SETFD, 0)
        var again = arguments
        if let at = again.firstIndex(of: "--epoch") { again.removeSubrange(at...at + 1) }
        again += ["--epoch", "\(epoch)"]
        var pointers = unsafe again.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        unsafe pointers.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            _ = unsafe execv("/proc/self/exe", base)
        }
    }

    private static func isMessageSocket(_ number: Int32) -> Bool {
        var type: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(number, SOL_SOCKET, SO_TYPE, &type, &length) == 0 else { return false }
        return type == Int32(SOCK_SEQPACKET.rawValue)
    }

    private static func complain(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
    }
}
