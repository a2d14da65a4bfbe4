import Glibc
import IronpostCore
import Synchronization

/// What the responder itself never touches, whoever asks: looked up anew for every order.
final class ContainerGuardrails: Sendable {
    static let protectLabel = "ironpost.protect"
    /// Actions of all kinds and origins within a minute.
    static let perMinuteMax = 120

    private struct Memory {
        /// When automatic actions were carried out, by container.
        var automatic: [(id: ContainerID, at: ContinuousClock.Instant)] = []
        var all: [ContinuousClock.Instant] = []
    }

    private let settings: Mutex<Configuration.Response>
    private let memory = Mutex(Memory())
    /// Containers that this program itself runs in.
    private let own: Set<String>

    init(_ settings: Configuration.Response, table: ProcessTable) {
        self.settings = Mutex(settings)
        own = Self.ownContainers(table)
    }

    func take(_ settings: Configuration.Response) { self.settings.withLock { $0 = settings } }

    /// Every id that one of our cgroups' paths bears, and the one whose files make up our root.
    private static func ownContainers(_ table: ProcessTable) -> Set<String> {
        var paths = table.cgroupPaths(of: getpid()).map(\.path)
        // Inside a cgroup namespace paths say nothing; the engine mounts these files from the container's directory.
        let mounts = String(decoding: ProcessTable.read("/proc/self/mountinfo") ?? [], as: UTF8.self)
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 4, ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"].contains(fields[4]) else {
                continue
            }
            paths.append(String(fields[3]))
        }
        var ids: Set<String> = []
        for path in paths {
            for part in path.split(whereSeparator: { $0 == "/" || $0 == "-" || $0 == "." || $0 == ":" }) {
                if let id = ContainerID(part) { ids.insert(id.text) }
            }
        }
        return ids
    }

    /// Throws when the container is not to be touched.
    func check(_ record: ContainerRecord) throws {
        if own.contains(record.id.text) {
            throw Refusal("protected: this program itself runs in container \(record.shownName)")
        }
        if let value = record.labels[Self.protectLabel], value != "false" {
            throw Refusal("protected: container \(record.shownName) has the label \(Self.protectLabel)=\(value)")
        }
        // A label that was left out could be the one that protects.
        let protect = settings.withLock { $0.protect }
        for pattern in protect {
            let isHit = unsafe fnmatch(pattern, record.name, 0) == 0 || pattern == record.id.text
            if isHit { throw Refusal("protected: response.protect names container \(record.shownName)") }
        }
    }

    /// Counts an action that is about to be carried out; throws when there were too many.
    /// - Parameter running: containers that run now.
    func count(_ order: ContainerOrder, running: Int) throws {
        let budget = settings.withLock { $0.budget }
        let now = ContinuousClock.now
        try memory.withLock { memory in
            memory.all.removeAll { now - $0 > .seconds(60) }
            memory.automatic.removeAll { now - $0.at > budget.per }
            guard memory.all.count < Self.perMinuteMax else {
                throw Refusal("rate: \(Self.perMinuteMax) containers were acted upon within a minute")
            }
            if order.isAutomatic, !memory.automatic.contains(where: { $0.id == order.container }) {
                let allowed = budget.allowed(of: running)
                guard Set(memory.automatic.map(\.id)).count < allowed else {
                    throw Refusal("budget: \(allowed) of \(running) containers were isolated within \(budget.per)")
                }
                memory.automatic.append((order.container, now))
            }
            memory.all.append(now)
        }
    }
}
