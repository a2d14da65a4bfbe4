import FoundationEssentials
import IronpostCore

/// Something happened to a container.
struct EngineEvent: Sendable, Hashable {
    var action: String
    var container: ContainerID
}

/// The engine's stream of events. The engine itself remembers only its last 256, so what was missed is found by listing.
struct EngineEvents: ~Copyable {
    private var answer: HTTPExchange
    private let bounds: EngineClient.Bounds
    private var pending: [UInt8] = []
    private var searched = 0

    init(_ answer: consuming HTTPExchange, bounds: EngineClient.Bounds) {
        self.answer = answer
        self.bounds = bounds
    }

    /// Events that have come by `deadline`: at least one, or none when the time passed in silence. Throws when the stream
    /// ended or a line of it is longer than its bound.
    mutating func next(deadline: ContinuousClock.Instant) throws(EngineFault) -> [EngineEvent] {
        while true {
            var events: [EngineEvent] = []
            while let end = pending[searched...].firstIndex(of: 0x0A) {
                events += Self.event(pending[..<end])
                pending.removeSubrange(...end)
                searched = 0
            }
            if !events.isEmpty { return events }
            searched = pending.count
            guard pending.count <= bounds.eventBytesMax else {
                throw .tooLarge("an event", bytesMax: bounds.eventBytesMax)
            }
            do throws(EngineFault) {
                guard let piece = try answer.piece(deadline: deadline) else { throw EngineFault.truncated("events") }
                pending.append(contentsOf: piece)
            } catch .timedOut {
                return []
            }
        }
    }

    /// What is no event of a container says nothing. Names of actions may carry more, as in `exec_start: sh`.
    private static func event(_ line: ArraySlice<UInt8>) -> [EngineEvent] {
        // JSON sequences (RFC 7464) begin records with this.
        let json = line.first == 0x1E ? line.dropFirst() : line
        guard !json.isEmpty, let document = try? EngineNames.decoder().decode(EventDocument.self, from: Data(json))
        else {
            return []
        }
        let kind = document.type ?? "container"
        let action = (document.action ?? document.status ?? "").prefix { $0 != ":" }
        let id = kind == "network" ? document.actor?.attributes?["container"] : document.actor?.iD ?? document.id
        guard kind == "container" || kind == "network", let id, let container = ContainerID(id) else { return [] }
        return [EngineEvent(action: kind == "network" ? "network" : String(action), container: container)]
    }
}
