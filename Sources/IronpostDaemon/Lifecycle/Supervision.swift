import CSystemd
import Glibc
import IronpostCore
import Logging

/// What systemd is told (sd_notify(3)): ready, reloading, stopping, and that the pipeline makes progress.
struct Supervision: Sendable {
    let registry: ModuleRegistry
    /// Whether a test event went through the whole pipeline lately.
    let isAlive: @Sendable () -> Bool
    let logger: Logger

    func ready() { notify("READY=1\nSTATUS=\(summary)") }
    func reloading() { notify("RELOADING=1\nSTATUS=reloading") }
    func stopping() { notify("STOPPING=1\nSTATUS=stopping") }

    /// Feeds the watchdog while the pipeline is alive, and only then; returns at once where there is none.
    func feedWatchdog() async {
        var microseconds: UInt64 = 0
        guard unsafe sd_watchdog_enabled(0, &microseconds) > 0, microseconds > 0 else { return }
        while !Task.isCancelled {
            if isAlive() {
                notify("WATCHDOG=1\nSTATUS=\(summary)")
            } else {
                logger.error("the watchdog is not fed: no test event arrives")
            }
            // Half the time, as sd_watchdog_enabled(3) advises.
            try? await Task.sleep(for: .microseconds(Int64(microseconds / 2)))
        }
    }

    private var summary: String {
        let health = Health.worst(of: registry.statuses().map { ($0.name, $0.health) })
        return health.reason.map { "\(health.word): \($0.split(whereSeparator: \.isNewline).joined(separator: " "))" }
            ?? health.word
    }

    private func notify(_ message: String) {
        // Without NOTIFY_SOCKET this does nothing.
        _ = unsafe sd_notify(0, message)
    }
}
