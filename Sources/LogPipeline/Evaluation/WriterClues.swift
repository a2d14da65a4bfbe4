import IronpostCore
import Sigma

/// What the kernel, the journal or the engine vouch for about who wrote an event. Never text.
struct WriterClues {
    let origins: OriginTable
    private let processes = ProcessTable()
    private let clock = SystemTime()

    init(origins: OriginTable) {
        self.origins = origins
    }

    func clues(
        _ match: Match, _ event: EventTable.Event, _ record: EventRecord, _ sender: LineSender
    ) -> AttributionClues {
        var clues = AttributionClues()
        let origin = origins[event.origin]
        if let container = origin?.container {
            clues.logStream = container
        } else if origin?.source == "journald" {
            addJournal(record, event, to: &clues)
        } else if origin?.source == Sources.packetLane {
            // Our own kernel program wrote it: the interface by which this very packet came in.
            clues.ingressLink = record["interface_index"].flatMap { UInt32($0) }
        } else {
            switch sender {
            case .unknown: break
            case .lost: clues.lostProcess = true
            case .process(let process): clues.process = process
            }
        }
        // Of the other events only their origin is remembered: it vouches for them where it is one container's log.
        if let correlation = match.correlation, correlation.weight > 1 {
            let isOneLog =
                clues.logStream != nil
                && correlation.members.allSatisfy { origins[$0.origin]?.container == clues.logStream }
            if !isOneLog { clues.isMixed = !clues.isEmpty }
        }
        return clues
    }

    /// The journal took the writer's number and cgroup from the kernel when the record came in.
    private func addJournal(_ record: EventRecord, _ event: EventTable.Event, to clues: inout AttributionClues) {
        guard let pid = record["pid"].flatMap({ Int32($0) }) else { return }
        clues.process = processes.identity(of: pid, at: Timestamp(nanoseconds: event.time), clock: clock)
        clues.cgroupPath = record["_SYSTEMD_CGROUP"]
        clues.lostProcess = clues.process == nil
    }
}
